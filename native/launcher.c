/* gatesh: the front door.
 *
 * A "#!" script cannot be a faithful shell: the kernel drops argv[0] (and with
 * it the dash of a login shell), and Python forgets which signals were ignored
 * before it started.  This program keeps both and hands over to the Python
 * client, which starts without site packages (-I -S).
 *
 *   bin/gatesh          this program
 *   bin/gatesh-python   written by the installer; its first line names the interpreter
 *   lib/python3…/site-packages/gatesh/client/front.py
 *
 * It reads no configuration and no environment, and decides nothing.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fail(const char *what, const char *path)
{
    dprintf(2, "gatesh: error: %s %s\n"
               "gatesh: hint: install gatesh again; nothing was run\n", what, path);
    _exit(125);
}

/* The interpreter that the installer wrote into the first line of *script*. */
static char *interpreter(const char *script)
{
    static char line[PATH_MAX];
    FILE *file = fopen(script, "re");
    char *end;
    if (!file || !fgets(line, sizeof line, file))
        return NULL;
    fclose(file);
    if (strncmp(line, "#!/", 3) != 0)
        return NULL;
    end = line + strcspn(line, " \t\r\n");
    *end = '\0';
    return access(line + 2, X_OK) == 0 ? line + 2 : NULL;
}

/* Signals that whoever started us had set to "ignore", as bits 1 << (n - 1). */
static unsigned long long ignored(void)
{
    unsigned long long mask = 0;
    struct sigaction now;
    for (int n = 1; n < 65; n++)
        if (sigaction(n, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
            mask |= 1ULL << (n - 1);
    return mask;
}

int main(int argc, char **argv)
{
    static const char *const places[] = {
        "%s/lib/python3*/site-packages/gatesh/client/front.py",
        "%s/lib/python3*/dist-packages/gatesh/client/front.py",
        "%s/lib/python3/dist-packages/gatesh/client/front.py",
    };
    char prefix[PATH_MAX], path[PATH_MAX + 64], state[40];
    glob_t found = {0};
    ssize_t length = readlink("/proc/self/exe", prefix, sizeof prefix - 1);
    char *python, *slash;
    char **call;
    int at = 0;

    if (length < 0)
        fail("cannot find itself: is", "/proc mounted?");
    prefix[length] = '\0';
    for (int up = 0; up < 2; up++)              /* bin/gatesh -> bin -> the prefix */
        if ((slash = strrchr(prefix, '/')) != NULL)
            *slash = '\0';

    snprintf(path, sizeof path, "%s/bin/gatesh-python", prefix);
    if ((python = interpreter(path)) == NULL)
        fail("no interpreter in the first line of", path);

    for (size_t n = 0; n < sizeof places / sizeof *places && found.gl_pathc == 0; n++) {
        snprintf(path, sizeof path, places[n], prefix);
        glob(path, 0, NULL, &found);
    }

    snprintf(state, sizeof state, "%llx", ignored());
    call = calloc((size_t)argc + 9, sizeof *call);
    if (call == NULL)
        fail("no memory to start", python);
    call[at++] = python;
    call[at++] = "-I";
    if (found.gl_pathc > 0) {
        call[at++] = "-S";
        call[at++] = found.gl_pathv[0];
    } else {                                    /* an editable install: let site find the package */
        call[at++] = "-m";
        call[at++] = "gatesh.client.front";
    }
    call[at++] = state;
    call[at++] = argc > 0 ? argv[0] : "gatesh";
    for (int n = 1; n < argc; n++)
        call[at++] = argv[n];
    execv(python, call);
    fail("cannot start", python);
}
