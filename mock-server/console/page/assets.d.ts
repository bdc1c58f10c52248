declare module "*.css";

/** Its URL. */
declare module "*.svg" {
  const url: string;
  // biome-ignore lint/style/noDefaultExport: Vite makes it so
  export default url;
}
