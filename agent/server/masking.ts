/** `//user:password@` of a URL. */
const CREDENTIALS = /(\/\/)[^\s/?#@'"<>]+@/g;
/** `?name=value` and `&name=value`: signed links carry their signature there. */
const PARAMETER = /([?&][^\s=&?'"<>]{1,60})=[^\s&'"<>]+/g;

/**
 * `text` as a log may have it, also one that is sent to the server: links are permissions, so the credentials and the
 * values of query parameters of every URL in it are left out.
 */
export function masked(text: string): string {
  return text.replace(CREDENTIALS, "$1…@").replace(PARAMETER, "$1=…");
}
