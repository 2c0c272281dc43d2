// Texts that are not saved yet. They survive a reload of the page, but not the tab.
export interface Draft {
  text: string;
  /** The text and the tag that it was made from. */
  base: string;
  tag: string;
  /** Where the editor begins. */
  line?: number;
}

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
