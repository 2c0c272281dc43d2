// Baselines: what the inputs and answers of a model version should look like.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { at } from '../lib/base';
import { ApiError, ask } from './client';
import { usePoll } from './poll';
import type { BaselineInfo } from './services';
import { changeHeaders, leaveIfOver, type Role } from './session';

export function useBaselines(service: string, model: string, version: string) {
  return usePoll(['baselines', service, model, version], async (signal) => {
    const { baselines } = await ask<{ baselines: BaselineInfo[] }>('ai/v1/baselines', {
      params: { service, model, version },
      signal,
    });
    return baselines;
  });
}

/** exportHref is where a baseline is downloaded. */
export const exportHref = (id: string): string => at(`ai/v1/baselines/${encodeURIComponent(id)}/export`);

/** useBaselineAction confirms, switches to or deletes a baseline. */
export function useBaselineAction() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, act }: { id: string; act: 'confirm' | 'activate' | 'delete' }): Promise<unknown> =>
      act === 'delete'
        ? ask<void>(`ai/v1/baselines/${encodeURIComponent(id)}`, { method: 'DELETE' })
        : ask<BaselineInfo>(`ai/v1/baselines/${encodeURIComponent(id)}/${act}`, { method: 'POST' }),
    onSuccess: () => client.invalidateQueries(),
  });
}

export interface NewBaseline {
  service: string;
  model: string;
  version: string;
  note: string;
  activate: boolean;
  /** One of both. */
  range?: { from: string; to: string };
  file?: File;
  prediction?: string;
  label?: string;
  exclude?: string;
}

/** Types that files are sent as, by the end of their names. */
const types: [RegExp, string][] = [
  [/\.csv$/i, 'text/csv'],
  [/\.(ndjson|jsonl)$/i, 'application/x-ndjson'],
  [/\.json$/i, 'application/json'],
  [/\.parquet$/i, 'application/vnd.apache.parquet'],
];

export function typeOf(name: string): string | undefined {
  return types.find(([end]) => end.test(name))?.[1];
}

/**
 * createBaseline makes a baseline of a range or of a file. progress is told the share of the file that was sent, 0 to 1;
 * fetch cannot tell, so this is an XMLHttpRequest.
 */
export async function createBaseline(
  b: NewBaseline,
  progress: (share: number) => void,
  signal: AbortSignal,
): Promise<BaselineInfo> {
  const params = new URLSearchParams({
    service: b.service,
    model: b.model,
    version: b.version,
    activate: String(b.activate),
  });
  for (const name of ['note', 'prediction', 'label', 'exclude'] as const) {
    const value = b[name];
    if (value) params.set(name, value);
  }
  const headers = await changeHeaders();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', at(`ai/v1/baselines?${params}`));
    request.setRequestHeader(
      'Content-Type',
      b.file ? (typeOf(b.file.name) ?? 'application/octet-stream') : 'application/json',
    );
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (e) => {
      if (e.lengthComputable) progress(e.loaded / e.total);
    };
    request.onload = () => {
      let answer: unknown;
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        answer = undefined;
      }
      if (request.status < 300) resolve(answer as BaselineInfo);
      else {
        const { error, code, role } = (answer ?? {}) as { error?: string; code?: string; role?: Role };
        void leaveIfOver(request.status, async () => code);
        reject(new ApiError(request.status, error ?? request.responseText, { code, role }));
      }
    };
    request.onerror = () => reject(new ApiError(0, 'the connection was lost'));
    request.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(b.file ?? JSON.stringify(b.range));
  });
}
