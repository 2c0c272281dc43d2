import { ActionIcon, Box, CopyButton } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import { useWords } from '../lib/words';
import { stateWords } from './words';

/** Copy is a button that copies a text. */
export function Copy({ text }: { text: string }) {
  const t = useWords(stateWords);
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <ActionIcon aria-label={copied ? t.copied : t.copy} title={copied ? t.copied : t.copy} onClick={copy}>
          {copied ? <IconCheck size={15} /> : <IconCopy size={15} />}
        </ActionIcon>
      )}
    </CopyButton>
  );
}

/** Snippet is a text to copy and use elsewhere. */
export function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <Box className="mw-snippet">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <section tabIndex={0} aria-label={label}>
        <pre className="mw-mono">{text}</pre>
      </section>
      <Box className="mw-snippet-copy">
        <Copy text={text} />
      </Box>
    </Box>
  );
}
