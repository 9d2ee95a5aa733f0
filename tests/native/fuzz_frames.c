/* Feeds what a hostile broker could send to the client's reading side.
 *
 *   fuzz_frames ROUNDS SEED FILE…     with any compiler: mutates the files, always the same way
 *   -fsanitize=fuzzer                 with clang: the same target under libFuzzer
 *
 * The first byte of an input says how many descriptors come along with each half of the rest;
 * any that is not closed again is missed before long.  The sanitizers judge the
 * memory; this file judges what is said about it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

enum { LARGEST = 1 << 16 };

static void check(int holds, const char *claim)
{
    if (!holds) {
        fprintf(stderr, "%s\n", claim);
        abort();
    }
}

static size_t runs, frames, refusals;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire wire = {0};
    struct frame frame;
    int ends[2], first, second, result, lent[WIRE_MAX_FDS] = {2, 2, 2};
    size_t half = size / 2;

    if (size < 2 || size > LARGEST)
        return 0;
    first = data[0] % (WIRE_MAX_FDS + 1);
    second = data[0] / 16 % (WIRE_MAX_FDS + 1);
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no socket pair");
    check(wire_send(ends[0], data + 1, half, lent, first) == 0
          && wire_send(ends[0], data + 1 + half, size - 1 - half, lent, second) == 0, "cannot send");
    close(ends[0]);
    wire.sock = ends[1];

    while ((result = wire_receive(&wire, &frame)) == 1) {
        volatile unsigned char sum = 0;
        frames++;
        check(frame.size < LARGEST, "a frame of more than was sent");
        for (size_t n = 0; n < frame.size; n++)
            sum ^= frame.body[n];
        check(frame.body + frame.size <= wire.data + wire.end, "a frame past what was read");
        if (frame.kind == 'R') {
            struct plan plan = {0};
            /* In its own allocation: a step past its end is then an error. */
            unsigned char *exact = malloc(frame.size ? frame.size : 1);
            frame.body = memcpy(exact, frame.body, frame.size);
            if (wire_read_run(&wire, &frame, &plan) == 0) {
                size_t total = strlen(plan.path), argc = 0;
                runs++;
                for (; plan.argv[argc]; argc++)
                    total += strlen(plan.argv[argc]);
                check(argc > 0, "a run without a name");
                check(total + 4 * (argc + 1) + 7 == frame.size, "fields that do not fill the frame");
                for (int n = 0; n < 3; n++)
                    check(plan.place[n] >= 0 && plan.place[n] <= wire.fd_count, "a place that is none");
            }
            free(plan.argv);
            free(exact);
        }
    }
    refusals += result < 0;
    check(wire.fd_count <= first + second, "more descriptors than were sent");
    for (int n = 0; n < wire.fd_count; n++) {
        check(fcntl(wire.fds[n], F_GETFD) == FD_CLOEXEC, "a descriptor that a shell would inherit");
        close(wire.fds[n]);
    }
    close(ends[1]);
    free(wire.data);
    return 0;
}

#ifndef LIBFUZZER
static uint64_t state;

static uint32_t any(uint32_t below)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static size_t mutate(uint8_t *data, size_t size)
{
    static const uint32_t edges[] = {0, 1, 3, 4, 7, 8, 127, 255, 65535, 1u << 25, (1u << 25) + 1,
                                     0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
    for (uint32_t times = any(4); times > 0 && size > 6; times--) {
        uint32_t at = any((uint32_t)size), other = any((uint32_t)size), edge;
        switch (any(7)) {
        case 0: data[at] ^= (uint8_t)(1u << any(8)); break;
        case 1: data[at] = (uint8_t)any(256); break;
        case 2: size = at; break;
        case 3: memmove(data + at, data + at + 1, size - at - 1); size--; break;
        case 4: memmove(data + at + 1, data + at, size - at - 1); break;
        case 5: memmove(data + at, data + other, size - (at > other ? at : other)); break;
        default:
            edge = edges[any(sizeof edges / sizeof *edges)];
            for (int n = 0; n < 4 && at + (uint32_t)n < size; n++)
                data[at + (uint32_t)n] = (uint8_t)(edge >> (24 - 8 * n));
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t seeds[64][LARGEST], input[LARGEST];
    size_t sizes[64], count = 0;
    struct rlimit few = {64, 64};

    if (argc < 4)
        return 2;
    setrlimit(RLIMIT_NOFILE, &few);
    state = strtoull(argv[2], NULL, 10) * 2654435769u + 1;
    for (int n = 3; n < argc && count < 64; n++, count++) {
        int fd = open(argv[n], O_RDONLY);
        ssize_t got = read(fd, seeds[count], LARGEST);
        check(got >= 0, "cannot read a seed");
        sizes[count] = (size_t)got;
        close(fd);
        LLVMFuzzerTestOneInput(seeds[count], sizes[count]);
    }
    for (long round = strtol(argv[1], NULL, 10); round > 0; round--) {
        uint32_t n = any((uint32_t)count);
        memcpy(input, seeds[n], sizes[n]);
        LLVMFuzzerTestOneInput(input, mutate(input, sizes[n]));
    }
    printf("%zu frames %zu runs %zu refusals\n", frames, runs, refusals);
    return 0;
}
#endif
