import { Page } from '../../components/Page';
import { shellWords } from '../../components/words';
import { useWords } from '../../lib/words';

export function Component() {
  const t = useWords(shellWords);
  return <Page title={t.dashboards} />;
}
