import { getHeapStatistics } from 'node:v8';

/** The heap of this process: payloads that stand in buffers are not in it, and have limits of their own. */
export function heapUse(): { readonly used: number; readonly limit: number } {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return { used, limit };
}
