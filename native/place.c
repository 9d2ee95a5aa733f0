/* Where the broker listens.  gatesh/socketpath.py has the same rules, and the words for who
 * breaks them: whatever is not in order here is left to it. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

/* The directory of the socket; true when it fits. */
static int directory(char *place, size_t size, const char *cwd, int *guarded)
{
    const char *home = getenv("GATESH_HOME"), *runtime = getenv("XDG_RUNTIME_DIR");
    unsigned user = geteuid();
    struct stat found;
    int length;

    *guarded = stat(GUARDED "/broker.sock", &found) == 0;
    if (*guarded)  /* nothing the agent can set leads past a guarded broker */
        length = snprintf(place, size, "%s", GUARDED);
    else if (home && *home == '/')
        length = snprintf(place, size, "%s/run", home);
    else if (home && *home)
        length = *cwd ? snprintf(place, size, "%s/%s/run", cwd, home) : -1;
    else if (runtime && *runtime == '/')
        length = snprintf(place, size, "%s/gatesh", runtime);
    else {
        snprintf(place, size, "/run/user/%u", user);
        if (stat(place, &found) == 0)
            length = snprintf(place, size, "/run/user/%u/gatesh", user);
        else
            length = snprintf(place, size, "/tmp/gatesh-%u", user);
    }
    return length > 0 && (size_t)length < size;
}

int reach(const char *cwd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static const char name[] = "/broker.sock";
    char *place = address.sun_path;
    struct ucred peer;
    socklen_t size = sizeof peer;
    struct stat found;
    int guarded, sock;

    if (!directory(place, sizeof address.sun_path - sizeof name, cwd, &guarded))
        return -1;
    /* Another account could have put its own socket there. */
    if (lstat(place, &found) < 0 || !S_ISDIR(found.st_mode) || (found.st_mode & 022) != 0)
        return -1;
    if (found.st_uid != 0 && found.st_uid != geteuid() && !guarded)
        return -1;
    strcat(place, name);
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return -1;
    if (RETRY(connect(sock, (struct sockaddr *)&address, sizeof address)) < 0
        || getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0
        || (peer.uid != 0 && peer.uid != geteuid() && !guarded)) {
        close(sock);
        return -1;
    }
    return sock;
}
