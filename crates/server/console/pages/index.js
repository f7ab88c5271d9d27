// The pages by the name in their address. `open` answers a title and what is on the page.
import { auditPage } from "./audit.js";
import { pluginPage } from "./plugin.js";
import { pluginsPage } from "./plugins.js";
import { sessionsPage } from "./sessions.js";
import { usersPage } from "./users.js";

export const pages = {
  plugins: { open: (place) => (place.name ? pluginPage(place) : pluginsPage(place)), inMenu: true, ofPlatform: true },
  sessions: { open: sessionsPage, inMenu: true },
  users: { open: usersPage, inMenu: true },
  audit: { open: auditPage, inMenu: true, ofAdministrators: true },
};
