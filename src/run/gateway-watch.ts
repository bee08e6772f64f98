import type { GatewayProbe } from '../ports/gateway.js';
import type { Log } from '../ports/log.js';

/**
 * The same probe, and the operator is told when the gateway falls silent and when it is back. `missLimit`: so many probes without an
 * answer, one after the other, are a silence; one that is lost is nothing to speak of.
 */
export function watchedGateway(probe: GatewayProbe, name: string, missLimit: number, log: Log): GatewayProbe {
  let missed = 0;
  return {
    async probe(timeoutMs) {
      const answered = await probe.probe(timeoutMs);
      if (answered && missed >= missLimit) log.write('info', `The gateway ${name} answers again`, { event: 'gateway', answers: true });
      missed = answered ? 0 : missed + 1;
      if (missed === missLimit) log.write('warn', `The gateway ${name} does not answer: this server does not serve alone, and does not take over, until it does`, { event: 'gateway', answers: false });
      return answered;
    },
  };
}
