/** `//user:password@` of a URL. */
const CREDENTIALS = /(\/\/)[^\s/?#@'"<>]+@/g;
/** `?name=value` and `&name=value`: signed links carry their signature there. */
const PARAMETER = /([?&][^\s=&?'"<>]{1,60})=[^\s&'"<>]+/g;

/**
 * `text` without the credentials and the query parameters of URLs in it, which must not be in a log: a signed link is a
 * permission.
 */
export function masked(text: string): string {
  return text.replace(CREDENTIALS, "$1…@").replace(PARAMETER, "$1=…");
}
