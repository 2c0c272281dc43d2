import { Alert, Button, Divider, Group, PasswordInput, Stack, Text, TextInput, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { login, logout } from '../../api/auth';
import { ApiError } from '../../api/client';
import { type Me, readMe, safeNext } from '../../api/session';
import { Mark } from '../../components/Mark';
import { PasswordForm } from '../../components/PasswordForm';
import { Await, useReason } from '../../components/states';
import { at } from '../../lib/base';
import { useFormat } from '../../lib/format';
import { type Locale, locales, useLocale, useWords } from '../../lib/words';
import classes from './Login.module.css';
import { loginWords } from './words';

/** goOn leads to where the reader was going. The pages load anew, so that nothing of another user is left. */
function goOn() {
  const next = safeNext(new URLSearchParams(location.search).get('next'));
  // A fragment does not reach the server that sent here, but stays with the browser.
  location.replace(at(next + (next.includes('#') ? '' : location.hash)));
}

export function Component() {
  const t = useWords(loginWords);
  const { locale, setLocale } = useLocale();
  const query = useQuery({ queryKey: ['login'], queryFn: readMe, staleTime: Number.POSITIVE_INFINITY });
  const [typed, setTyped] = useState<{ me: Me; password: string } | null>(null);
  const me = typed?.me ?? query.data;
  const change = me?.user && me.mustChangePassword;
  const through = me !== undefined && (!me.authEnabled || (me.user !== null && !me.mustChangePassword));
  const title = change ? t.changeTitle : t.title;
  useEffect(() => {
    document.title = `${title} · modelwatch`;
  }, [title]);
  useEffect(() => {
    if (through) goOn();
  }, [through]);
  return (
    <main className={classes.page}>
      <div className={classes.brand}>
        <Mark size={30} />
        modelwatch
      </div>
      <section className={`mw-panel ${classes.box}`} aria-labelledby="login-title">
        <Stack gap="sm">
          <Title order={1} id="login-title">
            {title}
          </Title>
          <Await query={query} height={150}>
            {(first) => {
              if (through) return null;
              if (!change) return <Form me={first} done={(m, password) => setTyped({ me: m, password })} />;
              const name = me.user?.name ?? '';
              return (
                <>
                  <Text size="sm">{t.changeText(name)}</Text>
                  <PasswordForm
                    user={name}
                    least={me.minPasswordLength}
                    known={typed?.password}
                    save={t.save}
                    done={goOn}
                  >
                    <Button
                      size="sm"
                      variant="subtle"
                      onClick={() => void logout().finally(() => location.assign(at('login')))}
                    >
                      {t.other}
                    </Button>
                  </PasswordForm>
                </>
              );
            }}
          </Await>
        </Stack>
      </section>
      <Stack className={classes.foot} gap="sm">
        {!change && <Text size="xs">{t.lost}</Text>}
        <Group gap="xs" role="group" aria-label={t.language}>
          {(Object.keys(locales) as Locale[]).map((l) => (
            <Button
              key={l}
              size="compact-xs"
              variant={l === locale ? 'light' : 'subtle'}
              aria-pressed={l === locale}
              lang={l}
              onClick={() => setLocale(l)}
            >
              {locales[l]}
            </Button>
          ))}
        </Group>
      </Stack>
    </main>
  );
}

/** reasons are those for which a log-in elsewhere leads back here. */
const reasons = [
  'oidc',
  'issuer',
  'state',
  'denied',
  'email',
  'not_allowed',
  'no_role',
  'no_name',
  'name_taken',
  'disabled',
] as const;

function Form({ me, done }: { me: Me; done: (me: Me, password: string) => void }) {
  const t = useWords(loginWords);
  const f = useFormat();
  const reason = useReason();
  const params = new URLSearchParams(location.search);
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [until, setUntil] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  const left = useCountdown(until);
  const elsewhere = reasons.find((r) => r === params.get('error'));
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    if (left > 0) return;
    setBusy(true);
    setError(null);
    setUntil(0);
    try {
      done(await login(user.trim(), password), password);
    } catch (err) {
      setError(err);
      if (err instanceof ApiError && err.wait) setUntil(Date.now() + err.wait * 1000);
      field.current?.select();
    } finally {
      setBusy(false);
    }
  };
  const limited = error instanceof ApiError && error.status === 429;
  const say = () => {
    if (limited && left <= 0) return t.again;
    if (limited) {
      // Who listens is told once; who looks sees the seconds pass.
      return (
        <>
          <span className="mw-hidden">{t.limited(f.span((error.wait ?? 0) * 1000))}</span>
          <span aria-hidden>{t.limited(f.span(left * 1000))}</span>
        </>
      );
    }
    if (error instanceof ApiError && error.status === 401) return t.wrong;
    return reason(error);
  };
  const next = safeNext(params.get('next'));
  return (
    <>
      {error === null && params.get('expired') && !elsewhere && (
        <Alert variant="light" p="xs">
          {t.expired}
        </Alert>
      )}
      {error === null && elsewhere && (
        <Alert color="red" variant="light" p="xs" role="alert">
          {t[elsewhere]}
        </Alert>
      )}
      {me.oidc && (
        <>
          <Button
            component="a"
            size="sm"
            href={at(`${me.oidc.path}?${new URLSearchParams({ next })}`)}
            variant="filled"
            fullWidth
          >
            {t.by(me.oidc.name)}
          </Button>
          <Divider label={t.or} />
        </>
      )}
      <form onSubmit={(e) => void submit(e)}>
        <Stack gap="sm">
          <TextInput
            size="sm"
            label={t.user}
            name="username"
            value={user}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            autoFocus={!me.oidc}
            required
            withAsterisk={false}
            onChange={(e) => setUser(e.currentTarget.value)}
          />
          <PasswordInput
            ref={field}
            size="sm"
            label={t.password}
            name="password"
            value={password}
            autoComplete="current-password"
            required
            withAsterisk={false}
            onChange={(e) => setPassword(e.currentTarget.value)}
          />
          {error !== null && (
            <Alert color={limited && left <= 0 ? undefined : 'red'} variant="light" p="xs" role="alert">
              {say()}
            </Alert>
          )}
          <Button
            type="submit"
            size="sm"
            loading={busy}
            disabled={left > 0}
            variant={me.oidc ? 'default' : 'filled'}
            fullWidth
          >
            {t.logIn}
          </Button>
        </Stack>
      </form>
    </>
  );
}

/** useCountdown is how many seconds are left until a time, 0 after it. */
function useCountdown(until: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    if (!until) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil((until - now) / 1000));
}
