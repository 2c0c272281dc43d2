// The editor of a configuration file: YAML with PromQL in it, settings offered as they are typed, and the problems that
// the server finds.
import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
  completionKeymap,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { yamlLanguage } from '@codemirror/lang-yaml';
import { bracketMatching, indentUnit, LanguageSupport, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import { EditorView, highlightActiveLineGutter, keymap, lineNumbers, tooltips } from '@codemirror/view';
import { parseMixed } from '@lezer/common';
import { classHighlighter } from '@lezer/highlight';
import { LanguageType, promQLLanguage } from '@prometheus-io/codemirror-promql';
import { useEffect, useRef } from 'react';
import type { ConfigProblem, ConfigSchema } from '../../api/files';
import editorClasses from '../../components/CodeEditor.module.css';
import { nonce } from '../../lib/nonce';
import { useSayError } from '../../lib/sayError';
import classes from './Config.module.css';
import { offersOf, placeOf } from './complete';

const promql = promQLLanguage(LanguageType.PromQL).parser;
const values = new Set(['Literal', 'QuotedLiteral', 'BlockLiteralContent']);

// In YAML, the values of "expr" are read as PromQL.
const language = yamlLanguage.configure({
  wrap: parseMixed((node, input) => {
    if (!values.has(node.name)) return null;
    let up = node.node.parent;
    if (up?.name === 'BlockLiteral') up = up.parent;
    const key = up?.name === 'Pair' ? up.getChild('Key') : null;
    if (!key || key.from === node.from || input.read(key.from, key.to) !== 'expr') return null;
    const quotes = node.name === 'QuotedLiteral' ? 1 : 0;
    return {
      parser: promql,
      overlay: [{ from: node.from + quotes, to: Math.max(node.from + quotes, node.to - quotes) }],
    };
  }),
});

interface Props {
  value: string;
  onChange: (text: string) => void;
  label: string;
  readOnly?: boolean;
  yaml: boolean;
  schema?: ConfigSchema;
  /** Of this text. */
  problems: ConfigProblem[];
  /** Where to begin, from 1; 0 is anywhere. */
  line?: number;
  /** Called with the line of the cursor, from 1, when it comes to another. */
  onLine?: (line: number) => void;
}

export function YamlEditor({ value, onChange, label, readOnly, yaml, schema, problems, line = 0, onLine }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const say = useSayError();
  const now = useRef({ onChange, schema, onLine, say });
  now.current = { onChange, schema, onLine, say };
  const first = useRef({ value, line });
  const parts = useRef({ words: new Compartment(), lock: new Compartment() });

  // biome-ignore lint/correctness/useExhaustiveDependencies: the editor is made once; what changes later is set below.
  useEffect(() => {
    if (!box.current) return;
    const complete = (context: CompletionContext): CompletionResult | null => {
      const known = now.current.schema;
      const place = known && placeOf(context.state.doc.toString(), context.pos);
      if (!known || !place || (!context.explicit && !place.typed)) return null;
      const options = offersOf(known, place).map((o) => ({
        label: o.name,
        detail: o.detail,
        type: 'property',
        apply: o.name + o.after,
      }));
      return options.length ? { from: context.pos - place.typed.length, options, validFor: /^[\w./-]*$/ } : null;
    };
    const made = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: first.current.value,
        extensions: [
          EditorView.cspNonce.of(nonce),
          lineNumbers(),
          highlightActiveLineGutter(),
          lintGutter(),
          history(),
          bracketMatching(),
          indentUnit.of('  '),
          yaml ? [new LanguageSupport(language), autocompletion({ icons: false, override: [complete] })] : [],
          syntaxHighlighting(classHighlighter),
          EditorView.lineWrapping,
          tooltips({ position: 'fixed' }),
          // Escape, then Tab, leaves the editor by keyboard.
          keymap.of([...completionKeymap, ...lintKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
          parts.current.words.of(wordsOf(label)),
          parts.current.lock.of(EditorState.readOnly.of(readOnly === true)),
          EditorView.updateListener.of((u) => {
            if (u.docChanged) now.current.onChange(u.state.doc.toString());
            if (u.docChanged || u.selectionSet)
              now.current.onLine?.(u.state.doc.lineAt(u.state.selection.main.head).number);
          }),
        ],
      }),
    });
    view.current = made;
    const { line: start } = first.current;
    let frame = 0;
    if (start > 0 && start <= made.state.doc.lines) {
      const { from } = made.state.doc.line(start);
      const show = EditorView.scrollIntoView(from, { y: 'center' });
      made.dispatch({ selection: { anchor: from }, effects: show });
      // Heights of lines are guesses until they are drawn, so in a long text the first go ends far off.
      let tries = 10;
      const look = () => {
        const line = made.coordsAtPos(from);
        const box = made.scrollDOM.getBoundingClientRect();
        if ((line && line.top >= box.top && line.bottom <= box.bottom) || tries-- === 0) return;
        made.dispatch({ effects: show });
        frame = requestAnimationFrame(look);
      };
      frame = requestAnimationFrame(look);
    }
    return () => {
      cancelAnimationFrame(frame);
      made.destroy();
    };
  }, []);
  useEffect(() => {
    view.current?.dispatch({ effects: parts.current.words.reconfigure(wordsOf(label)) });
  }, [label]);
  useEffect(() => {
    view.current?.dispatch({ effects: parts.current.lock.reconfigure(EditorState.readOnly.of(readOnly === true)) });
  }, [readOnly]);
  useEffect(() => {
    const v = view.current;
    if (v && v.state.doc.toString() !== value)
      v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value } });
  }, [value]);
  useEffect(() => {
    const v = view.current;
    if (!v) return;
    const marks: Diagnostic[] = problems
      .filter((p) => p.line !== null && p.line <= v.state.doc.lines)
      .map((p) => {
        const at = v.state.doc.line(p.line as number);
        const from = at.from + (at.text.length - at.text.trimStart().length);
        return {
          from,
          to: at.to,
          severity: p.warning ? 'warning' : 'error',
          message: p.hint ? `${now.current.say(p.reason)} (${now.current.say(p.hint)})` : now.current.say(p.reason),
        };
      });
    v.dispatch(setDiagnostics(v.state, marks));
  }, [problems]);
  return (
    <div className={classes.editor}>
      <div ref={box} className={editorClasses.editor} />
    </div>
  );
}

function wordsOf(label: string): Extension {
  return EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' });
}
