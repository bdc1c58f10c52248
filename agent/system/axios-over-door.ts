import type { HttpRequest, HttpResponse, Network } from "@upkeep/shared/system";
import {
  Axios,
  type AxiosAdapter,
  type AxiosRequestConfig,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from "axios";

export type { Axios } from "axios";
/** What a caller gives to `request()`. */
export type DoorRequest = AxiosRequestConfig;
/** The same as an interceptor gets it. */
export type InterceptedRequest = InternalAxiosRequestConfig;

/** What the door's `request()` is told besides method, URL, headers and body. */
export type DoorOptions = Pick<HttpRequest, "tls" | "proxy" | "idleTimeoutMs" | "signal">;

/** A token, and how to get another one when the server refuses it. */
export interface Bearer {
  readonly token: string;
  renew(): Promise<void>;
}

declare module "axios" {
  export interface AxiosRequestConfig<D, P> {
    /**
     * The door's options for a URL. They are not properties of the config, because axios would copy them and replace the
     * reason of an aborted signal.
     */
    door?: (url: string) => DoorOptions;
    /** What the request is about, for messages: `polling for a deployment`. */
    what?: string;
    /** The token to send. An instance of a class: axios would copy a plain object. */
    bearer?: Bearer | undefined;
    /** The token was renewed once already. */
    renewed?: true;
    /** Redirects that were followed already. */
    redirects?: number;
    /** A redirect may lead from https to http. */
    mayLoseTls?: boolean;
  }
}

/** The answer of the door, as `data` of axios's response: its body is a stream. */
export type DoorResponse = AxiosResponse<HttpResponse>;

function headersOf({ headers }: InternalAxiosRequestConfig): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers.toJSON()).map(([name, value]) => [name.toLowerCase(), String(value)]),
  );
}

/** Carries one of axios's requests out through the door. axios's own adapters are not part of the program. */
function doorAdapter(network: Network): AxiosAdapter {
  return async (config): Promise<DoorResponse> => {
    const { method = "get", url = "", door } = config;
    if (door === undefined) throw new TypeError("a request over the door needs the door's options");
    const body: unknown = config.data;
    const answer = await network.request({
      method: method.toUpperCase() as HttpRequest["method"],
      url,
      headers: headersOf(config),
      ...(typeof body === "string" || body instanceof Uint8Array ? { body } : {}),
      ...door(url),
    });
    return { data: answer, status: answer.status, statusText: "", headers: {}, config };
  };
}

/**
 * An axios instance whose requests leave through the door: the real one and a simulated one are used alike, with the same
 * interceptors. It has none of the library's defaults; every status is an answer.
 * @param headers Of every request.
 */
export function axiosOverDoor(network: Network, headers: Readonly<Record<string, string>>): Axios {
  return new Axios({ adapter: doorAdapter(network), headers: { ...headers } });
}
