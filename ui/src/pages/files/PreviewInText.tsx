import { Select } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMemo, useState } from 'react';
import { useWords } from '../../lib/words';
import { Preview } from './Preview';
import { rulesIn } from './rulesIn';
import { configWords } from './words';

/**
 * PreviewInText says when an alerting rule of a rule file would have fired: the one at the line of the cursor, or another
 * that is chosen until the cursor moves.
 */
export function PreviewInText({ text, line }: { text: string; line: number }) {
  const t = useWords(configWords);
  const [settled] = useDebouncedValue(text, 600);
  const rules = useMemo(() => rulesIn(settled), [settled]);
  const [chosen, setChosen] = useState({ line, from: 0 });
  const at = chosen.line === line && chosen.from > 0 ? chosen.from : line;
  const rule = rules.find((r) => r.from <= at && at <= r.to);
  return (
    <Preview
      rule={rule && { expr: rule.expr, for: rule.for, keepFiringFor: rule.keepFiringFor }}
      empty={rules.length > 0 ? t.noRuleAtCursor : t.noRulesToPreview}
      head={
        rules.length > 0 && (
          <Select
            mb="xs"
            aria-label={t.ruleToPreview}
            placeholder={t.ruleToPreview}
            value={rule ? String(rule.from) : null}
            data={rules.map((r) => ({ value: String(r.from), label: t.ruleAtLine(r.name, String(r.from)) }))}
            allowDeselect={false}
            onChange={(v) => v && setChosen({ line, from: Number(v) })}
          />
        )
      }
    />
  );
}
