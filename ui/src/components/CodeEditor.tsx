// A text field for code. Languages bring their own extension.
import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
  completionStatus,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { bracketMatching, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { Compartment, EditorState, type Extension, Prec } from '@codemirror/state';
import { EditorView, keymap, placeholder as placeholderOf, tooltips } from '@codemirror/view';
import { classHighlighter } from '@lezer/highlight';
import { useEffect, useRef } from 'react';
import { nonce } from '../lib/nonce';
import classes from './CodeEditor.module.css';

interface Props {
  value: string;
  onChange: (text: string) => void;
  /** Called when Enter is pressed; Shift-Enter makes a new line. */
  onRun: () => void;
  /** Must be the same object for the same language. */
  language: Extension;
  label: string;
  placeholder?: string;
}

export function CodeEditor({ value, onChange, onRun, language, label, placeholder = '' }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const events = useRef({ onChange, onRun });
  events.current = { onChange, onRun };
  const first = useRef(value);
  const parts = useRef({ language: new Compartment(), words: new Compartment() });

  // biome-ignore lint/correctness/useExhaustiveDependencies: the editor is made once; what changes later is set below.
  useEffect(() => {
    if (!box.current) return;
    const made = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          EditorView.cspNonce.of(nonce),
          Prec.highest(
            keymap.of([
              {
                key: 'Enter',
                run: (v) => {
                  // While completions are offered, Enter takes one.
                  if (completionStatus(v.state) === 'active') return false;
                  events.current.onRun();
                  return true;
                },
              },
              {
                key: 'Mod-Enter',
                run: () => {
                  events.current.onRun();
                  return true;
                },
              },
            ]),
          ),
          history(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ icons: false, activateOnTyping: true }),
          syntaxHighlighting(classHighlighter),
          EditorView.lineWrapping,
          tooltips({ position: 'fixed' }),
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
          parts.current.language.of(language),
          parts.current.words.of(wordsOf(label, placeholder)),
          EditorView.updateListener.of((u) => {
            if (u.docChanged) events.current.onChange(u.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = made;
    return () => made.destroy();
  }, []);
  useEffect(() => {
    view.current?.dispatch({ effects: parts.current.language.reconfigure(language) });
  }, [language]);
  useEffect(() => {
    view.current?.dispatch({ effects: parts.current.words.reconfigure(wordsOf(label, placeholder)) });
  }, [label, placeholder]);
  useEffect(() => {
    const v = view.current;
    if (v && v.state.doc.toString() !== value) {
      v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value }, selection: { anchor: value.length } });
    }
  }, [value]);
  return <div ref={box} className={classes.editor} />;
}

function wordsOf(label: string, placeholder: string): Extension {
  return [EditorView.contentAttributes.of({ 'aria-label': label }), placeholderOf(placeholder)];
}
