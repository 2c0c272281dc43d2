import { ActionIcon, Button, Text } from '@mantine/core';
import { IconAdjustments, IconEye, IconEyeOff, IconTextWrap, IconTrash } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { formatQuery } from '../../api/promql';
import { CodeEditor } from '../../components/CodeEditor';
import { useReason } from '../../components/states';
import { useWords } from '../../lib/words';
import { Builder } from './Builder';
import classes from './Explore.module.css';
import { promql } from './language';
import { exploreWords } from './words';

interface Props {
  name: string;
  expr: string;
  hidden: boolean;
  /** The only query cannot be removed. */
  alone: boolean;
  onRun: (expr: string) => void;
  onHide: () => void;
  onRemove: () => void;
}

/** QueryRow edits one PromQL query. */
export function QueryRow({ name, expr, hidden, alone, onRun, onHide, onRemove }: Props) {
  const t = useWords(exploreWords);
  const reason = useReason();
  const [draft, setDraft] = useState(expr);
  const [building, setBuilding] = useState(false);
  const [problem, setProblem] = useState('');
  const [language] = useState(promql);
  useEffect(() => setDraft(expr), [expr]);
  const format = async () => {
    try {
      setDraft(await formatQuery(draft));
      setProblem('');
    } catch (err) {
      setProblem(reason(err));
    }
  };
  return (
    <div>
      <div className={classes.row}>
        <span className={classes.letter} aria-hidden>
          {name}
        </span>
        <CodeEditor
          value={draft}
          onChange={(text) => {
            setDraft(text);
            setProblem('');
          }}
          onRun={() => onRun(draft)}
          language={language}
          label={t.query(name)}
          placeholder={t.promqlPlaceholder}
        />
        <div className={classes.tools}>
          <Button onClick={() => onRun(draft)} title={t.runHint} variant={draft === expr ? 'default' : 'filled'} mr={4}>
            {t.run}
          </Button>
          <ActionIcon
            aria-label={t.builder}
            title={t.builder}
            aria-pressed={building}
            variant={building ? 'light' : 'subtle'}
            onClick={() => setBuilding(!building)}
          >
            <IconAdjustments size={16} />
          </ActionIcon>
          <ActionIcon aria-label={t.format} title={t.format} onClick={() => void format()} disabled={!draft.trim()}>
            <IconTextWrap size={16} />
          </ActionIcon>
          {!alone && (
            <>
              <ActionIcon
                aria-label={hidden ? t.show(name) : t.hide(name)}
                title={hidden ? t.show(name) : t.hide(name)}
                onClick={onHide}
              >
                {hidden ? <IconEyeOff size={16} /> : <IconEye size={16} />}
              </ActionIcon>
              <ActionIcon aria-label={t.remove(name)} title={t.remove(name)} onClick={onRemove}>
                <IconTrash size={16} />
              </ActionIcon>
            </>
          )}
        </div>
      </div>
      {problem && (
        <Text size="xs" c="var(--mw-down)" pl={30} pt={2} className="mw-wrap" role="alert">
          {problem}
        </Text>
      )}
      {building && <Builder expr={draft} onBuild={setDraft} onRun={onRun} />}
    </div>
  );
}
