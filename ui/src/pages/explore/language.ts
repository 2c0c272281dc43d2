// The two query languages in the editor.
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { LanguageSupport, LRLanguage } from '@codemirror/language';
import { linter } from '@codemirror/lint';
import { parser } from '@grafana/lezer-logql';
import { styleTags, tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { logLabels, logValues } from '../../api/loki';
import { base } from '../../lib/base';
import { errorAt } from '../../lib/logql';
import { type Asked, placeOf, stages } from './complete';

/** promql is Prometheus's own extension: names with their help, label values, and a linter. */
export function promql() {
  return new PromQLExtension()
    .setComplete({ remote: { url: base.replace(/\/$/, ''), httpMethod: 'GET', cache: { maxAge: 60_000 } } })
    .asExtension();
}

const language = LRLanguage.define({
  name: 'logql',
  parser: parser.configure({
    props: [
      styleTags({
        LineComment: tags.comment,
        'Identifier LabelName GroupingLabel': tags.labelName,
        'String Regexp': tags.string,
        'Number Duration Bytes': tags.number,
        'Json Logfmt Regexp Unpack Pattern LineFormat LabelFormat Unwrap Drop Keep Decolorize By Without On Ignoring Bool Offset':
          tags.keyword,
        'Sum Avg Count Max Min Stddev Stdvar Bottomk Topk Sort Sort_Desc Rate RateCounter CountOverTime BytesRate BytesOverTime AvgOverTime SumOverTime MinOverTime MaxOverTime StddevOverTime StdvarOverTime QuantileOverTime FirstOverTime LastOverTime AbsentOverTime LabelReplace Vector':
          tags.keyword,
        'Eq Eql Neq Re Nre PipeExact PipeMatch PipePattern Pipe Npa Add Sub Mul Div Mod Pow And Or Unless Gtr Gte Lss Lte':
          tags.operator,
      }),
    ],
  }),
  languageData: { closeBrackets: { brackets: ['(', '[', '{', '"', '`'] } },
});

/** logql completes labels, values and stages, and marks what cannot be read. */
export function logql(broken: string) {
  return [
    new LanguageSupport(language, [language.data.of({ autocomplete: complete })]),
    linter((view) => {
      const text = view.state.doc.toString();
      const at = text.trim() ? errorAt(text) : undefined;
      return at ? [{ ...at, severity: 'error', message: broken }] : [];
    }),
  ];
}

async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const text = context.state.doc.toString();
  const asked = placeOf(text.slice(0, context.pos));
  if (!asked || (!context.explicit && asked.kind === 'start' && asked.typed === '')) return null;
  try {
    const options = await optionsFor(asked, text.slice(context.pos));
    return {
      from: context.pos - asked.typed.length,
      options,
      validFor: asked.kind === 'value' ? /^[^"]*$/ : /^[\w.]*$/,
    };
  } catch {
    // Without names the reader still can type them.
    return null;
  }
}

async function optionsFor(asked: Asked, after: string): Promise<Completion[]> {
  switch (asked.kind) {
    case 'label':
      return (await logLabels()).map((label) => ({
        label,
        type: 'property',
        apply: asked.plain ? label : `${label}=`,
      }));
    case 'value':
      return (await logValues(asked.name ?? '')).map((label) => ({
        label,
        type: 'text',
        apply: label.replace(/\\/g, '\\\\').replace(/"/g, '\\"') + (after.startsWith('"') ? '' : '"'),
      }));
    default:
      return stages[asked.kind].map(([label, detail]) => ({ label, detail, type: 'keyword' }));
  }
}
