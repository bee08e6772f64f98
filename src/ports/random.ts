export interface Random {
  /** 128 random bits as 32 hexadecimal digits. */
  id(): string;
  /** Uniform in [0, 1). */
  fraction(): number;
}
