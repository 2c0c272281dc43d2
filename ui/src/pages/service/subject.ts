// What the page is about: one version of one model of one service, from its URL.
import { useMemo } from 'react';
import { useParams, useSearchParams } from 'react-router';
import { type ServiceState, useServices } from '../../api/services';
import { selector } from '../../lib/labels';
import { useParam } from '../../lib/url';

/** nameless stands in the URL for a service without a name. */
export const nameless = '~';

export interface Subject {
  service: string;
  model: string;
  version: string;
}

/** useSubject resolves the URL: without a choice it is the newest version that serves. */
export function useSubject() {
  const params = useParams();
  const service = params.service === nameless ? '' : (params.service ?? '');
  const [model, setModel] = useParam('model');
  const [version, setVersion] = useParam('version');
  const [, setParams] = useSearchParams();
  const [other] = useParam('with');
  const query = useServices();
  const state = query.data?.services.find((s) => s.service === service);
  const chosen = useMemo(() => choose(state, params.model ?? model, version), [state, params.model, model, version]);
  // Choosing a second version leads to where both are seen.
  const compare = (version: string) =>
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        if (version) {
          next.set('with', version);
          next.set('tab', 'compare');
        } else {
          next.delete('with');
        }
        return next;
      },
      { replace: true },
    );
  return { query, state, service, ...chosen, other, setModel, setVersion, compare };
}

function choose(state: ServiceState | undefined, wantedModel: string, wantedVersion: string) {
  const all = state?.models ?? [];
  const models = [...new Set(all.map((m) => m.model))];
  const model = models.includes(wantedModel)
    ? wantedModel
    : ([...all].sort((a, b) => Number(a.retired) - Number(b.retired) || (b.last ?? '').localeCompare(a.last ?? ''))[0]
        ?.model ?? '');
  const versions = all.filter((m) => m.model === model).sort((a, b) => (b.first ?? '').localeCompare(a.first ?? ''));
  const summary =
    versions.find((v) => v.model_version === wantedVersion) ?? versions.find((v) => !v.retired) ?? versions[0];
  return { models, model, versions, summary, version: summary?.model_version ?? '' };
}

/** matchers selects the series of a version. */
export function matchers(s: Subject, more: Record<string, string> = {}, metric = ''): string {
  return selector({ service: s.service, model: s.model, model_version: s.version, ...more }, metric);
}
