/* The native client, its few parts and what passes between them.
 *
 *   main.c       is this ours to do?  ask the broker, obey, leave
 *   place.c      where the broker listens, and is it safe to talk to it
 *   wire.c       frames; gatesh/wire.py is their specification
 *   run.c        the real shell, its signals, its end
 *   hand_over.c  everything else is for the Python client
 *
 * It knows no rules, keeps no secrets, reads no configuration.  Until the shell is
 * started it can give up at any point without a trace: then the Python client
 * asks again from the start, and it is the one that explains what is wrong.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "generated.h"  /* from the Python modules, by build.py: PEOPLE, WIRE_VERSION, … */

enum { LEAVE_EXIT = 0, LEAVE_SIGNAL = 1, LEAVE_NOT = -1, TROUBLE = 125 };

struct frame {
    char kind;
    unsigned char *body;  /* until the next wire_receive */
    size_t size;
};

/* The receiving side of one connection.  Set `sock`, the rest to zero. */
struct wire {
    int sock;
    int fds[WIRE_MAX_FDS], fd_count;  /* attached to what was received; close-on-exec */
    unsigned char *data;
    size_t room, start, end;
};

/* What the broker wants run: each place is 0 (the caller's own) or n (the n-th descriptor). */
struct plan {
    int place[3];
    char *path, **argv;
};

/* 1: a frame; 0: the end; -1: an error, or not this protocol. */
int wire_receive(struct wire *, struct frame *);
int wire_send(int sock, const void *, size_t, const int *fds, int count);
/* A whole C frame, or NULL when it would be too long. */
unsigned char *wire_submission(const char *cwd, char **argv, char **env, int mask, size_t *size);
int wire_read_run(struct wire *, const struct frame *, struct plan *);

/* A connection to the broker, or -1.  *cwd* is absolute or empty. */
int reach(const char *cwd);

struct leave { int how, value; };
/* Run *plan* to its end; LEAVE_NOT when it could not be started.  Afterwards 0, 1, 2 are closed. */
struct leave run(struct wire *, const struct plan *);

_Noreturn void hand_over(int argc, char **argv);

/* Not by sigprocmask and sigfillset: C libraries keep a few real-time signals to themselves. */
static inline void set_mask(int how, const uint64_t *mask, uint64_t *before)
{
    syscall(SYS_rt_sigprocmask, how, mask, before, sizeof *mask);
}

#define RETRY(call) ({ __typeof__(call) r_; do r_ = (call); while (r_ == -1 && errno == EINTR); r_; })

#endif
