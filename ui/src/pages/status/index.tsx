import { lazy } from 'react';
import { Page } from '../../components/Page';
import { Sections } from '../../components/Sections';
import { useWords } from '../../lib/words';
import { statusWords } from './words';

const sections = {
  targets: lazy(() => import('./Targets')),
  discovery: lazy(() => import('./Discovery')),
  cardinality: lazy(() => import('./Cardinality')),
  storage: lazy(() => import('./Storage')),
  configuration: lazy(() => import('./Configuration')),
  about: lazy(() => import('./About')),
};

export function Component() {
  const t = useWords(statusWords);
  return (
    <Page title={t.title}>
      <Sections path="/status" label={t.sections} sections={sections} names={t} />
    </Page>
  );
}
