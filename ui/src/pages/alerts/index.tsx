import { lazy } from 'react';
import { Page } from '../../components/Page';
import { Sections } from '../../components/Sections';
import { useWords } from '../../lib/words';
import { alertWords } from './words';

const sections = {
  active: lazy(() => import('./Active')),
  rules: lazy(() => import('./Rules')),
  silences: lazy(() => import('./Silences')),
  history: lazy(() => import('./History')),
  routing: lazy(() => import('./Routing')),
};

/** Alerts: what fires, why, who was told, and what is kept quiet. */
export function Component() {
  const t = useWords(alertWords);
  return (
    <Page title={t.title}>
      <Sections path="/alerts" label={t.sections} sections={sections} names={t} />
    </Page>
  );
}
