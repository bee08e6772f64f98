import { inTurn, ratioTo, seriesRows, seriesTable, shown } from '../in-turn.js';
import { MAIN_LOAD } from '../load.js';
import { verdict, type Row } from '../row.js';

const RATIO_MIN = 0.8;
/** Below it the probe is no yardstick. */
const PROBE_MIN = 1.3;
const SHORT = { rounds: 7, seconds: 2 };
const LONG = { rounds: 15, seconds: 5 };

/** The main row: the load of the others, against Mosquitto, the bare probe and NATS. */
export const mainLoad: Row = {
  name: 'qos1',
  what: 'QoS 1, 256 B, 4 publishers with 64 in flight, 1 subscriber; both servers sync to disk, all on one machine',
  reach: '≥ 0.8 × Mosquitto (in memory), aim above 1; ratio to a bare probe that only parses, journals, replicates and acknowledges, aim at 0.7',
  run: (bench) =>
    bench.withBrokers(['Mosquitto', 'bare probe', 'NATS', 'NATS, 3 replicas'], async (brokers) => {
      const { rounds, seconds } = bench.long ? LONG : SHORT;
      const series = await inTurn(bench, brokers, MAIN_LOAD, rounds, seconds, 'qos1');
      const [lockstep] = series;
      const [mosquitto, probe] = [ratioTo(series, 'Mosquitto'), ratioTo(series, 'bare probe')];
      const yardstick = mosquitto === null || probe === null ? null : mosquitto.median / probe.median;
      const ratios = series.slice(1).map((one) => `${shown(one.ratio)} × ${one.broker}`);
      const note = yardstick === null ? '' : `; the probe is ${yardstick.toFixed(2)} × Mosquitto${yardstick < PROBE_MIN ? `, below ${PROBE_MIN}: no yardstick` : ''}`;
      return {
        reached: `${ratios.join(', ')}; acknowledgement p50 ${String(lockstep?.p50Ms.median)} ms, p99 ${String(lockstep?.p99Ms.median)} ms${note}`,
        verdict: mosquitto === null ? 'reported' : verdict(mosquitto.median >= RATIO_MIN),
        lost: lockstep?.lost ?? 0,
        tables: [
          seriesTable('The main load', seriesRows('main', series)),
          { title: 'What an acknowledgement means', head: ['broker', 'promise'], rows: series.map((one) => [one.broker, one.promise]) },
        ],
        plots: [],
        figures: { series, probeToMosquitto: yardstick },
      };
    }),
};
