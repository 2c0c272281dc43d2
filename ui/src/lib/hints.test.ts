import { expect, test } from 'vitest';
import { hintFor } from './hints';

test.each([
  ['Get "http://127.0.0.1:8000/metrics": dial tcp 127.0.0.1:8000: connect: connection refused', 'refused'],
  ['Get "http://api:8000/metrics": dial tcp: lookup api on 10.0.0.2:53: no such host', 'dns'],
  ['Get "http://10.0.0.9:8000/metrics": context deadline exceeded', 'timeout'],
  ['Get "http://10.0.0.9:8000/metrics": dial tcp 10.0.0.9:8000: i/o timeout', 'timeout'],
  ['server returned HTTP status 404 Not Found', 'notFound'],
  ['server returned HTTP status 401 Unauthorized', 'auth'],
  ['server returned HTTP status 503 Service Unavailable', 'server'],
  ['Get "https://a/metrics": http: server gave HTTP response to HTTPS client', 'plainToTLS'],
  [
    'Get "http://a/metrics": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\\x15\\x03\\x01"',
    'tlsToPlain',
  ],
  [
    'Get "https://a/metrics": tls: failed to verify certificate: x509: certificate signed by unknown authority',
    'certificate',
  ],
  ['body size limit exceeded', 'bodySize'],
  ['sample limit exceeded', 'samples'],
  ['label_limit exceeded (metric: "x", number of labels: 70, limit: 64)', 'labels'],
  ['received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified for target', 'notMetrics'],
  ['expected a valid start token, got "<" ("INVALID") while parsing: "<"', 'parse'],
  ['Get "http://a/metrics": EOF', 'reset'],
  ['something new', undefined],
])('%s', (error, hint) => {
  expect(hintFor(error)).toBe(hint);
});
