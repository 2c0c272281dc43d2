// The interfaces that others know, all served at this address.
import { base } from '../lib/base';
import { askText } from './client';
import { usePoll } from './poll';

const sources = [
  { name: 'Prometheus', path: '', probe: 'api/v1/status/buildinfo' },
  { name: 'Alertmanager', path: '', probe: 'api/v2/status' },
  { name: 'Loki', path: '', probe: 'loki/api/v1/labels' },
];

export function useSources() {
  return usePoll(
    ['sources'],
    (signal) =>
      Promise.all(
        sources.map(async ({ name, path, probe }) => ({
          name,
          url: new URL(base + path, location.href).href,
          ok: await askText(probe, { signal }).then(
            () => true,
            () => false,
          ),
        })),
      ),
    { atMost: 30_000 },
  );
}
