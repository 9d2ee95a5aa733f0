/* gatesh: the front door.  Asks the broker what to do with this call and does it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

/* Only under gatesh's own name: a program called `bash` must run a script called `pending`. */
static int is_for_people(int argc, char **argv)
{
    static const char *const words[] = {PEOPLE};
    const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];

    if ((strcmp(name, "gatesh") != 0 && strcmp(name, "gatesh-python") != 0) || argc < 2)
        return 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0)
        return argc == 2;
    for (size_t n = 0; n < sizeof words / sizeof *words; n++)
        if (strcmp(argv[1], words[n]) == 0)
            return 1;
    return 0;
}

/* Note which of 0, 1, 2 are open, as bits, and fill the gaps: a closed descriptor must not be
 * given to something opened later.  The placeholders are close-on-exec, so the shell, or the
 * Python client, finds them closed again.  -1: one is a terminal, or there is no /dev/null. */
static int plug(void)
{
    int mask = 0;

    for (int fd = 0; fd < 3; fd++) {
        if (isatty(fd))
            return -1;
        if (errno != EBADF)
            mask |= 1 << fd;
        else if (open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
            return -1;
    }
    return mask;
}

/* Print what the broker says.  A reader that has gone away is no reason to die of it. */
static void say(const unsigned char *text, size_t size)
{
    static const struct timespec now;
    static const uint64_t bit = 1ULL << (SIGPIPE - 1);
    uint64_t before;
    sigset_t pipe;
    ssize_t wrote;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    set_mask(SIG_BLOCK, &bit, &before);
    for (; size > 0; text += wrote, size -= (size_t)wrote)
        if ((wrote = RETRY(write(2, text, size))) < 0) {
            if (errno == EPIPE && !(before & bit))
                sigtimedwait(&pipe, NULL, &now);
            break;
        }
    set_mask(SIG_SETMASK, &before, NULL);
}

/* End the way the command ended. */
static _Noreturn void leave(struct leave end)
{
    if (end.how != LEAVE_EXIT) {
        struct rlimit core;
        sigset_t it;

        /* The command has left its core already; ours would only overwrite it. */
        if (getrlimit(RLIMIT_CORE, &core) == 0) {
            core.rlim_cur = 0;
            setrlimit(RLIMIT_CORE, &core);
        }
        signal(end.value, SIG_DFL);
        sigemptyset(&it);
        sigaddset(&it, end.value);
        sigprocmask(SIG_UNBLOCK, &it, NULL);
        kill(getpid(), end.value);
        end.value += 128;
    }
    _exit(end.value);
}

/* Do what the broker says; returns only when it is gone, or makes no sense, before a run. */
static void obey(struct wire *wire)
{
    struct frame frame;
    struct plan plan;

    while (wire_receive(wire, &frame) == 1)
        if (frame.kind == 'S')
            say(frame.body, frame.size);
        else if (frame.kind == 'X' && frame.size == 2)
            leave((struct leave){frame.body[0], frame.body[1]});
        else if (frame.kind == 'R' && wire_read_run(wire, &frame, &plan) == 0) {
            struct leave end = run(wire, &plan);
            if (end.how == LEAVE_NOT)
                return;
            leave(end);
        } else
            return;
}

int main(int argc, char **argv)
{
    char cwd[PATH_MAX];
    static struct wire wire;
    int mask, lent[WIRE_MAX_FDS], count = 0;
    unsigned char *frame;
    size_t size;

    if (argc < 1 || is_for_people(argc, argv) || getenv("_GATESH_COMPLETE")
        || getenv("_TYPER_COMPLETE_ARGS") || (mask = plug()) < 0)
        hand_over(argc, argv);
    if (getcwd(cwd, sizeof cwd) == NULL)
        cwd[0] = '\0';  /* deleted: the broker sees the same through /proc */
    for (int fd = 0; fd < 3; fd++)
        if (mask & 1 << fd)
            lent[count++] = fd;
    frame = wire_submission(cwd, argv, environ, mask, &size);
    if (frame && (wire.sock = reach(cwd)) >= 0
        && wire_send(wire.sock, frame, size, lent, count) == 0)
        obey(&wire);
    hand_over(argc, argv);
}
