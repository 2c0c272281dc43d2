// Words of the interface, in every language. Each page and component keeps its own words beside it, so that they load
// with it; TypeScript refuses a language that lacks one.
import { createContext, type ReactNode, use, useEffect, useMemo, useState } from 'react';
import { recall, remember } from './storage';

export const locales = { en: 'English', 'zh-CN': '简体中文' } as const;
export type Locale = keyof typeof locales;

type Phrase = string | ((...args: never[]) => string);
type Same<T> = { [K in keyof T]: T[K] extends string ? string : T[K] };
export type Words<T> = { en: T; 'zh-CN': Same<T> };

/** words joins the English words with their Chinese, checked to be complete. */
export function words<T extends Record<string, Phrase>>(en: T, zh: Same<T>): Words<T> {
  return { en, 'zh-CN': zh };
}

const LocaleContext = createContext<{ locale: Locale; setLocale: (l: Locale) => void }>({
  locale: 'en',
  setLocale: () => {},
});

function preferred(): Locale {
  const kept = recall('locale');
  if (kept && kept in locales) return kept as Locale;
  return navigator.languages.some((l) => l.toLowerCase().startsWith('zh')) &&
    !navigator.languages[0]?.toLowerCase().startsWith('en')
    ? 'zh-CN'
    : 'en';
}

export function LocaleProvider({ children }: { children: ReactNode }) {
  const [locale, setLocale] = useState(preferred);
  useEffect(() => {
    document.documentElement.lang = locale;
  }, [locale]);
  const value = useMemo(
    () => ({
      locale,
      setLocale: (l: Locale) => {
        remember('locale', l);
        setLocale(l);
      },
    }),
    [locale],
  );
  return <LocaleContext value={value}>{children}</LocaleContext>;
}

export function useLocale() {
  return use(LocaleContext);
}

/** useWords picks the words of the language in use. */
export function useWords<T>(w: Words<T>): Same<T> {
  return w[useLocale().locale] as Same<T>;
}
