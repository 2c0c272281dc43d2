// The way from what is shown to the file that says it.
import { Button } from '@mantine/core';
import { IconPencil, IconPlus } from '@tabler/icons-react';
import { Link } from 'react-router';
import { type FileKind, useConfigFiles } from '../api/files';
import type { Sought } from '../lib/sought';
import { useHref } from '../lib/url';
import { useWords } from '../lib/words';
import { editWords } from './words';

interface Props {
  /** The only file of its kind; for a scrape job, the file that has it. */
  kind?: FileKind;
  /** The file's path, as the configuration gives it. */
  path?: string;
  /** Where the editor begins. */
  at?: Sought;
  /** Words on the button; "Edit" if there are none. */
  label?: string;
}

/** EditLink leads to the editor of a file, or shows nothing where there is no such file. */
export function EditLink({ kind, path, at = {}, label }: Props) {
  const t = useWords(editWords);
  const href = useHref();
  const files = useConfigFiles();
  const file = files.data?.find((f) => {
    if (!f.shown || (kind && f.kind !== kind)) return false;
    return at.job === undefined ? path === undefined || f.as === path : f.jobs.includes(at.job);
  });
  if (!file) return null;
  return (
    <Button
      component={Link}
      to={href(`/files/${file.id}`, { ...at })}
      variant="default"
      size="compact-xs"
      flex="none"
      leftSection={file.editable ? <IconPencil size={13} aria-hidden /> : undefined}
      title={file.path}
    >
      {file.editable ? (label ?? t.edit) : t.show}
    </Button>
  );
}

/** NewRuleLink leads to the form for alert rules. */
export function NewRuleLink() {
  const t = useWords(editWords);
  const href = useHref();
  return (
    <Button component={Link} to={href('/files/new-rule')} leftSection={<IconPlus size={14} aria-hidden />}>
      {t.newRule}
    </Button>
  );
}
