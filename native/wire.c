/* Frames between client and broker.  Nothing a peer sends is believed before it is measured. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

#ifndef FIRST_ROOM
#define FIRST_ROOM (1 << 16)  /* the usual frames in one read; the fuzzer makes it small */
#endif

enum { HEAD = 4 };

static uint32_t get32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static unsigned char *put32(unsigned char *at, size_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        *at++ = (unsigned char)(number >> shift);
    return at;
}

static unsigned char *put_field(unsigned char *at, const char *text)
{
    size_t size = strlen(text);
    return (unsigned char *)mempcpy(put32(at, size), text, size);
}

unsigned char *wire_submission(const char *cwd, char **argv, char **env, int mask, size_t *size)
{
    size_t argc = 0, envc = 0, total = HEAD + 1 + 2 + 4 + 4 + 4 + strlen(cwd);
    unsigned char *frame, *at;

    for (; argv[argc]; argc++)
        total += 4 + strlen(argv[argc]);
    for (; env[envc]; envc++)
        total += 4 + strlen(env[envc]);
    if (total - HEAD > WIRE_MAX_FRAME || (frame = malloc(total)) == NULL)
        return NULL;
    at = put32(frame, total - HEAD);
    *at++ = 'C';
    *at++ = WIRE_VERSION;
    *at++ = (unsigned char)mask;
    at = put_field(put32(put32(at, argc), envc), cwd);
    for (size_t n = 0; n < argc; n++)
        at = put_field(at, argv[n]);
    for (size_t n = 0; n < envc; n++)
        at = put_field(at, env[n]);
    *size = total;
    return frame;
}

int wire_send(int sock, const void *data, size_t size, const int *fds, int count)
{
    union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)]; } control;
    struct iovec part = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (count > 0) {
        memset(&control, 0, sizeof control);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * (size_t)count);
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
    }
    while (part.iov_len > 0) {
        ssize_t sent = RETRY(sendmsg(sock, &message, MSG_NOSIGNAL));
        if (sent < 0)
            return -1;
        part.iov_base = (char *)part.iov_base + sent;
        part.iov_len -= (size_t)sent;
        message.msg_control = NULL;  /* descriptors travel with the first byte, once */
        message.msg_controllen = 0;
    }
    return 0;
}

/* Make room for *need* bytes from `start` on. */
static int make_room(struct wire *wire, size_t need)
{
    if (wire->start > 0) {
        memmove(wire->data, wire->data + wire->start, wire->end - wire->start);
        wire->end -= wire->start;
        wire->start = 0;
    }
    if (need > wire->room || wire->data == NULL) {
        size_t room = need > FIRST_ROOM ? need : FIRST_ROOM;
        unsigned char *data = realloc(wire->data, room);
        if (data == NULL)
            return -1;
        wire->data = data;
        wire->room = room;
    }
    return 0;
}

/* Keep descriptors that came along; -1 when there are more than the protocol has. */
static int keep_fds(struct wire *wire, struct msghdr *message)
{
    int surplus = (message->msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
            if (wire->fd_count < WIRE_MAX_FDS)
                wire->fds[wire->fd_count++] = fd;
            else
                surplus = 1, close(fd);
        }
    }
    return surplus ? -1 : 0;
}

int wire_receive(struct wire *wire, struct frame *frame)
{
    for (;;) {
        size_t have = wire->end - wire->start, need = HEAD;
        if (have >= HEAD) {
            uint32_t length = get32(wire->data + wire->start);
            if (length == 0 || length > WIRE_MAX_FRAME)
                return -1;
            need += length;
            if (have >= need) {
                frame->kind = (char)wire->data[wire->start + HEAD];
                frame->body = wire->data + wire->start + HEAD + 1;
                frame->size = length - 1;
                wire->start += need;
                return 1;
            }
        }
        if (make_room(wire, need) < 0)
            return -1;

        union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)]; } control;
        struct iovec part = {wire->data + wire->end, wire->room - wire->end};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1,
            .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int) * WIRE_MAX_FDS),
        };
        ssize_t got = RETRY(recvmsg(wire->sock, &message, MSG_CMSG_CLOEXEC));
        if (got < 0 || keep_fds(wire, &message) < 0)
            return -1;
        if (got == 0)
            return have == 0 ? 0 : -1;  /* in the middle of a frame */
        wire->end += (size_t)got;
    }
}

/* The field at *at* as a string, *at* moved behind it; NULL when it is longer than its frame or
 * holds a NUL.  The string moves down onto its own length, which makes room for its end. */
static char *take_field(unsigned char **at, const unsigned char *end)
{
    unsigned char *text = *at;
    size_t size;

    if (end - text < 4 || (size = get32(text)) > (size_t)(end - text) - 4)
        return NULL;
    *at = text + 4 + size;
    memmove(text, text + 4, size);
    text[size] = '\0';
    return strlen((char *)text) == size ? (char *)text : NULL;
}

int wire_read_run(struct wire *wire, const struct frame *frame, struct plan *plan)
{
    unsigned char *at = frame->body + 7;
    const unsigned char *end = frame->body + frame->size;
    size_t argc;

    /* Every field takes at least four bytes: a count that cannot be true is never allocated. */
    if (frame->size < 7 || (argc = get32(frame->body + 3)) == 0 || argc > (frame->size - 7) / 4)
        return -1;
    for (int n = 0; n < 3; n++)
        if ((plan->place[n] = frame->body[n]) > wire->fd_count)
            return -1;
    plan->path = take_field(&at, end);
    plan->argv = calloc(argc + 1, sizeof *plan->argv);
    if (plan->path == NULL || plan->argv == NULL)
        return -1;
    for (size_t n = 0; n < argc; n++)
        if ((plan->argv[n] = take_field(&at, end)) == NULL)
            return -1;
    return at == end ? 0 : -1;
}
