// What a scrape error most often means, and what to try. The words are those of the page.

export type Hint =
  | 'refused'
  | 'dns'
  | 'timeout'
  | 'unreachable'
  | 'reset'
  | 'notFound'
  | 'auth'
  | 'server'
  | 'redirect'
  | 'plainToTLS'
  | 'tlsToPlain'
  | 'certificate'
  | 'bodySize'
  | 'samples'
  | 'labels'
  | 'notMetrics'
  | 'parse';

// The first that matches is the most telling one.
const patterns: [RegExp, Hint][] = [
  [/server gave HTTP response to HTTPS client|first record does not look like a TLS handshake/i, 'plainToTLS'],
  [/malformed HTTP (response|status)|\\x15\\x03|client sent an HTTP request to an HTTPS server/i, 'tlsToPlain'],
  [/x509|certificate|tls:|unknown authority/i, 'certificate'],
  [/body size limit/i, 'bodySize'],
  [/sample limit|sample_limit|bucket limit/i, 'samples'],
  [/label_limit|label_name_length_limit|label_value_length_limit|label (name|value)s? .*limit/i, 'labels'],
  [/connection refused/i, 'refused'],
  [/no such host|server misbehaving|name resolution/i, 'dns'],
  [/deadline exceeded|timeout|timed out/i, 'timeout'],
  [/no route to host|network is unreachable|host is down/i, 'unreachable'],
  [/connection reset|broken pipe|\bEOF\b/i, 'reset'],
  [/HTTP status (404|405|410)/i, 'notFound'],
  [/HTTP status (401|403|407)/i, 'auth'],
  [/HTTP status 3\d\d|stopped after \d+ redirects/i, 'redirect'],
  [/HTTP status 5\d\d/i, 'server'],
  [/content.?type|text\/html/i, 'notMetrics'],
  [/expected .* got|unexpected|invalid metric type|parse|no token found|strconv/i, 'parse'],
];

/** hintFor is undefined where the error tells nothing that is known. */
export function hintFor(error: string): Hint | undefined {
  return patterns.find(([p]) => p.test(error))?.[1];
}
