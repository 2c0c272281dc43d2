import { Anchor, Stack, Text } from '@mantine/core';
import { IconHeartbeat } from '@tabler/icons-react';
import { Link } from 'react-router';
import { Snippet } from '../../components/Copy';
import { Empty } from '../../components/states';
import { base } from '../../lib/base';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { overviewWords } from './words';

const job = `scrape_configs:
  - job_name: my-ai-service
    static_configs:
      - targets: ['127.0.0.1:8000']`;

/** Start is shown before there is any service: how to get the first one. */
export function Start() {
  const t = useWords(overviewWords);
  const href = useHref();
  const curl = `curl -H 'Content-Type: application/json' ${location.origin}${base}ai/v1/inferences -d '[{
  "service": "shop", "model": "ranker", "model_version": "v1",
  "duration_seconds": 0.12, "status_code": 200,
  "features": {"age": 34, "country": "DE"}, "prediction": "buy"
}]'`;
  return (
    <Empty title={t.emptyTitle} icon={<IconHeartbeat size={34} />}>
      <Stack gap="sm" ta="left">
        <Text>{t.emptyText}</Text>
        <Snippet text={curl} label={t.firstInference} />
        <Text>{t.orScrape}</Text>
        <Snippet text={job} label={t.scrapeJob} />
        <Anchor component={Link} to={href('/status')} size="sm">
          {t.targets}
        </Anchor>
      </Stack>
    </Empty>
  );
}
