/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "dbus_wire.h"

static int call_bus(int fd, const char *member, const char *name, uint32_t serial)
{
    uint8_t b[512], in[4096];
    struct dw w = { b, 0 };
    size_t nl = name ? strlen(name) : 0, have = 0;
    dw_head(&w, 1, name ? (uint32_t)(al(4 + nl + 1, 4) + 4) : 0, serial);
    dw_field(&w, 1, 'o', "/org/freedesktop/DBus", 21);
    dw_field(&w, 2, 's', "org.freedesktop.DBus", 20);
    dw_field(&w, 3, 's', member, strlen(member));
    dw_field(&w, 6, 's', "org.freedesktop.DBus", 20);
    if (name) dw_field(&w, 8, 'g', "su", 2);
    dw_end(&w);
    if (name) { dw_strn(&w, name, nl); dw_u32(&w, 4); }    /* DO_NOT_QUEUE */
    if (write_full(fd, b, w.n)) return -1;
    for (;;) {
        ssize_t r = read(fd, in + have, sizeof in - have);
        if (r <= 0) return -1;
        have += (size_t)r;
        size_t off = 0, u;
        struct dmsg m;
        int ret = 1;
        while (off < have && (u = dbus_parse(in + off, have - off, &m))) {
            if (m.reply_serial == serial) ret = m.type == 2 ? 0 : -1;
            off += u;
        }
        memmove(in, in + off, have - off);                 /* signals (NameAcquired) are dropped */
        have -= off;
        if (ret <= 0) return ret;
    }
}
int dbus_open(void)
{
    char b[64], hex[32] = "";
    int fd = unix_connect(cfg.addr), n;
    if (fd < 0) return -1;
    snprintf(b, sizeof b, "%u", (unsigned)getuid());
    for (char *p = b; *p; p++) sprintf(hex + strlen(hex), "%02x", *p);
    n = snprintf(b, sizeof b, "%cAUTH EXTERNAL %s\r\n", 0, hex);
    if (write_full(fd, b, (size_t)n)) goto bad;
    ssize_t r = read(fd, b, sizeof b);
    if (r < 2 || memcmp(b, "OK", 2)) goto bad;
    if (write_full(fd, "BEGIN\r\n", 7)) goto bad;
    if (call_bus(fd, "Hello", NULL, 1)) goto bad;
    return fd;
bad:
    close(fd);
    return -1;
}
int dbus_request_name(int fd, const char *name, uint32_t serial) { return call_bus(fd, "RequestName", name, serial); }
