/** Makes an error without looking where it comes from: for those that are made by the thousand and told apart by their code. */
export function stackless<Made extends Error>(make: () => Made): Made {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  const error = make();
  Error.stackTraceLimit = stackTraceLimit;
  return error;
}
