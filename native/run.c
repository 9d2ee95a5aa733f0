/* Run the real shell as the broker says, and wait for it as faithfully as it would wait itself.
 *
 * Three processes share the caller's process group:
 *
 *   W  this one, whose pid the caller knows: waits, passes signals on, leaves last
 *   B  the real shell, with its output on the broker's pipes; it does not survive W
 *   K  a canary: when a signal reaches W, K tells whether the whole group got it
 *      (then B has it too, and a second copy would run its trap twice)
 *
 * W lends everything and keeps nothing: once B runs it closes every inherited descriptor, or
 * callers would wait for an end of file that bash would have given.
 *
 * No handlers: W blocks all signals and reads them from a signalfd.  So none is lost around the
 * fork, and there is nothing that B would have to take back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* What B gets of W. */
struct start {
    const struct plan *plan;
    const int *fds;
    uint64_t mask;  /* as we found it */
    int child_was_ignored;
    pid_t parent;
};

struct canary {
    pid_t pid;
    int end;
    uint64_t early;  /* signals to the group that it told of before W had read them */
};

static const uint64_t every_signal = ~0ULL;

static void close_range_(unsigned first, unsigned last)
{
    if (syscall(SYS_close_range, first, last, 0) < 0)
        for (unsigned fd = first; fd <= last && fd < 1 << 16; fd++)  /* before Linux 5.9 */
            close((int)fd);
}

static int ascending(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static void close_all_but(int *keep, size_t count)
{
    unsigned next = 0;

    qsort(keep, count, sizeof *keep, ascending);
    for (size_t n = 0; n < count; n++) {
        if (keep[n] < 0)
            continue;
        if ((unsigned)keep[n] > next)
            close_range_(next, (unsigned)keep[n] - 1);
        next = (unsigned)keep[n] + 1;
    }
    close_range_(next, ~0U);
}

/* In B, sharing W's memory until the exec: system calls only. */
static _Noreturn void become(const struct start *start)
{
    const struct plan *plan = start->plan;
    static char words[256];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != start->parent)
        _exit(TROUBLE);  /* W was killed before the line above */
    for (int fd = 0; fd < 3; fd++)
        if (plan->place[fd] > 0)
            dup2(start->fds[plan->place[fd] - 1], fd);
    if (start->child_was_ignored)
        signal(SIGCHLD, SIG_IGN);
    set_mask(SIG_SETMASK, &start->mask, NULL);
    execve(plan->path, plan->argv, environ);
    snprintf(words, sizeof words, "gatesh: error: %s: %s\n", plan->path, strerror(errno));
    if (write(2, words, strlen(words)) < 0)
        _exit(TROUBLE);
    _exit(TROUBLE);
}

/* In K: everything stays blocked and pending; say what came since the last question. */
static _Noreturn void watch(int end)
{
    static const struct timespec now;
    sigset_t all;
    char question;

    close_all_but(&end, 1);
    memset(&all, 0xff, sizeof all);
    while (RETRY(read(end, &question, 1)) == 1) {
        uint64_t seen = 0;
        for (int n; (n = sigtimedwait(&all, NULL, &now)) > 0;)
            seen |= 1ULL << (n - 1);
        if (send(end, &seen, sizeof seen, MSG_NOSIGNAL) < 0)
            break;
    }
    _exit(0);
}

static void release(struct canary *canary)
{
    int ends[2];

    canary->early = 0;
    canary->pid = canary->end = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return;
    if ((canary->pid = fork()) == 0)
        watch(ends[1]);
    close(ends[1]);
    canary->end = ends[0];
}

/* Signals that the whole group got, all of them blocked and so remembered by the kernel. */
static uint64_t ask(const struct canary *canary)
{
    struct pollfd answer = {canary->end, POLLIN, 0};
    uint64_t seen = 0;
    int status, woken = 0;

    if (canary->pid < 0)
        return 0;
    if (send(canary->end, "?", 1, MSG_NOSIGNAL) < 0)
        return ~0ULL;  /* killed with the group */
    /* Only SIGSTOP stops it.  What goes to a group reaches K before W, being younger: when K
     * still stands, the SIGCONT that woke W was for W alone, and the one it sees is from here.
     * Looked at again and again: on a busy machine K may come to its stop after W is back. */
    do {
        if (waitpid(canary->pid, &status, WNOHANG | WUNTRACED) > 0 && WIFSTOPPED(status)) {
            woken = 1;
            kill(canary->pid, SIGCONT);
        }
    } while (poll(&answer, 1, 5) == 0);
    if (RETRY(recv(canary->end, &seen, sizeof seen, MSG_WAITALL)) != sizeof seen)
        return ~0ULL;
    return woken ? seen & ~(1ULL << (SIGCONT - 1)) : seen;
}

/* Pass on to B what reached W and not the whole group. */
static void pass_on(int signals, struct canary *canary, pid_t shell)
{
    struct signalfd_siginfo got[16];
    ssize_t size = read(signals, got, sizeof got);
    uint64_t group, early = 0;
    sigset_t waiting;

    if (size <= 0 || (size == sizeof *got && got[0].ssi_signo == SIGCHLD))
        return;
    group = canary->early | ask(canary);
    for (ssize_t n = 0; n < size / (ssize_t)sizeof *got; n++) {
        int number = (int)got[n].ssi_signo;
        if (number != SIGCHLD && !(group & 1ULL << (number - 1)))
            kill(shell, number);
    }
    /* One more of the same, come since: K told of both at once, so remember it until we read it. */
    sigpending(&waiting);
    for (int number = 1; number < 65; number++)
        if (group & 1ULL << (number - 1) && sigismember(&waiting, number) == 1)
            early |= 1ULL << (number - 1);
    canary->early = early;
}

/* Stop as B has stopped: our caller sees what bash's caller would. */
static void stop_by(int signal_)
{
    uint64_t but = every_signal & ~(1ULL << (signal_ - 1));
    sigset_t it;

    if (sigpending(&it) == 0 && sigismember(&it, SIGCONT))
        return;  /* over already */
    signal(signal_, SIG_DFL);
    kill(getpid(), signal_);
    set_mask(SIG_SETMASK, &but, NULL);  /* here we stand still, until somebody continues us */
    set_mask(SIG_SETMASK, &every_signal, NULL);
}

/* Wait for B's end and return its wait status; pass on signals, stops, the broker's kills. */
static int wait_for(pid_t shell, struct wire *wire, int signals, struct canary *canary)
{
    struct pollfd ready[2] = {{signals, POLLIN, 0}, {wire->sock, POLLIN, 0}};
    struct frame frame;
    int status;

    for (;;) {
        int more = wire->start < wire->end && ready[1].fd >= 0;
        if (poll(ready, 2, more ? 0 : -1) < 0)
            continue;  /* EINTR: stopped and continued */
        if (ready[0].revents) {
            pass_on(signals, canary, shell);
            if (RETRY(waitpid(shell, &status, WNOHANG | WUNTRACED)) == shell) {
                if (!WIFSTOPPED(status))
                    return status;
                stop_by(WSTOPSIG(status));
            }
        }
        if (ready[1].revents || more) {
            if (wire_receive(wire, &frame) != 1) {
                /* Nobody records any more: what cannot be recorded does not go on. */
                kill(shell, SIGKILL);
                ready[1].fd = -1;
            } else if (frame.kind == 'K' && frame.size == 1)
                kill(shell, frame.body[0]);
        }
    }
}

static pid_t spawn(const struct start *start)
{
    /* vfork: B needs nothing of W's memory but this frame, and W nothing before B has exec'ed. */
    pid_t shell = vfork();
    if (shell == 0)
        become(start);
    return shell;
}

/* Send the kind P or F with *body*.  A broker that is gone is noticed where we read. */
static void tell(int sock, char kind, const unsigned char *body, unsigned char size)
{
    unsigned char frame[9] = {0, 0, 0, (unsigned char)(size + 1), (unsigned char)kind};
    memcpy(frame + 5, body, size);
    wire_send(sock, frame, 5u + size, NULL, 0);
}

struct leave run(struct wire *wire, const struct plan *plan)
{
    struct start start = {.plan = plan, .fds = wire->fds, .parent = getpid()};
    struct sigaction plain = {.sa_handler = SIG_DFL}, found;
    struct leave leave = {LEAVE_EXIT, TROUBLE};
    struct signalfd_siginfo late;
    struct canary canary;
    struct frame frame;
    pid_t shell = -1;
    int signals, status;
    sigset_t all;

    memset(&all, 0xff, sizeof all);
    set_mask(SIG_SETMASK, &every_signal, &start.mask);
    sigaction(SIGCHLD, &plain, &found);  /* ignored, it would leave nothing to wait for */
    start.child_was_ignored = found.sa_handler == SIG_IGN;
    if ((signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK)) < 0
        || (shell = spawn(&start)) < 0) {
        sigaction(SIGCHLD, &found, NULL);
        set_mask(SIG_SETMASK, &start.mask, NULL);
        return (struct leave){LEAVE_NOT, 0};
    }
    tell(wire->sock, 'P', (unsigned char[]){
        (unsigned char)(shell >> 24), (unsigned char)(shell >> 16),
        (unsigned char)(shell >> 8), (unsigned char)shell}, 4);
    close_all_but((int[]){wire->sock, signals}, 2);
    release(&canary);

    status = wait_for(shell, wire, signals, &canary);
    tell(wire->sock, 'F', WIFSIGNALED(status)
        ? (unsigned char[]){LEAVE_SIGNAL, (unsigned char)WTERMSIG(status)}
        : (unsigned char[]){LEAVE_EXIT, (unsigned char)WEXITSTATUS(status)}, 2);
    if (canary.pid > 0)
        kill(canary.pid, SIGKILL);
    /* B is gone: what came before had its effect on B, what comes now has its effect on us. */
    while (read(signals, &late, sizeof late) > 0)
        ;
    set_mask(SIG_SETMASK, &start.mask, NULL);
    while (wire_receive(wire, &frame) == 1)
        if (frame.kind == 'X' && frame.size == 2) {
            leave = (struct leave){frame.body[0], frame.body[1]};
            break;
        }
    if (canary.pid > 0)
        waitpid(canary.pid, &status, 0);
    return leave;
}
