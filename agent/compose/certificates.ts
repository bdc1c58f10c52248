import { X509Certificate } from "node:crypto";

export interface FoundCertificates {
  readonly certificates: readonly X509Certificate[];
  readonly format: "pem" | "der";
  /** One for each certificate that cannot be read: which, and why. */
  readonly faults: readonly string[];
}

const BEGIN = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/;
const END = /-----END (?:TRUSTED |X509 )?CERTIFICATE-----/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** The tag of a sequence, which a certificate in DER begins with. */
const SEQUENCE = 0x30;

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One certificate, from what follows its first line. A text on one line is as good as one in lines. */
function certificateIn(text: string): X509Certificate | string {
  const end = text.search(END);
  if (end < 0) return "has no END line: the file may be cut";
  const base64 = text.slice(0, end).replace(/\s+/g, "");
  if (!BASE64.test(base64)) return "is not base64 between its BEGIN and END lines";
  try {
    return new X509Certificate(Buffer.from(base64, "base64"));
  } catch (error) {
    return `is damaged (${why(error)})`;
  }
}

/**
 * All certificates of a file, each read by itself: OpenSSL stops at the first one that is broken, and says nothing.
 * @param file PEM with one or several certificates, or one in DER.
 */
export function certificatesIn(file: Buffer): FoundCertificates {
  const [, ...texts] = file.toString("latin1").split(BEGIN);
  if (texts.length === 0 && file[0] === SEQUENCE) {
    try {
      return { certificates: [new X509Certificate(file)], format: "der", faults: [] };
    } catch (error) {
      return { certificates: [], format: "der", faults: [`it is no certificate in DER format (${why(error)})`] };
    }
  }
  const certificates: X509Certificate[] = [];
  const faults: string[] = [];
  texts.forEach((text, index) => {
    const found = certificateIn(text);
    if (typeof found === "string") faults.push(`certificate ${index + 1} of ${texts.length} ${found}`);
    else certificates.push(found);
  });
  return { certificates, format: "pem", faults };
}
