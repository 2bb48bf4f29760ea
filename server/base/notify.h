/* Telling systemd how the service is (sd_notify's protocol, without its library). */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/* Sends a state, "READY=1", to the socket that NOTIFY_SOCKET names; does nothing without one. */
void notify(const char *state);

#endif
