// Texts that are not saved yet. They survive a reload of the page, but not the tab.
import type { ConfigText } from '../../api/files';

export interface Draft {
  text: string;
  /** The text and the tag that it was made from. */
  base: string;
  tag: string;
  /** Where the editor begins. */
  line?: number;
}

/** newFileDraft keeps the text of a file that is to be made. */
export const newFileDraft = 'new';

const key = (id: string) => `modelwatch.draft.${id}`;

export function recallDraft(id: string): Draft | undefined {
  try {
    const kept = sessionStorage.getItem(key(id));
    return kept ? (JSON.parse(kept) as Draft) : undefined;
  } catch {
    return undefined;
  }
}

/** keepDraft tells whether it could. */
export function keepDraft(id: string, draft: Draft | undefined): boolean {
  try {
    if (draft) sessionStorage.setItem(key(id), JSON.stringify(draft));
    else sessionStorage.removeItem(key(id));
    return true;
  } catch {
    return false;
  }
}

/**
 * draftOn makes a draft of a file, on top of what is not saved yet. change gives the new text and where the editor
 * begins, or undefined where it cannot; then false is returned and nothing is kept.
 */
export function draftOn(
  file: ConfigText,
  change: (text: string) => { text: string; line: number } | undefined,
): boolean {
  const draft = recallDraft(file.id);
  const made = change(draft?.text ?? file.text ?? '');
  if (!made) return false;
  return keepDraft(file.id, { ...made, base: draft?.base ?? file.text ?? '', tag: draft?.tag ?? file.tag ?? '' });
}
