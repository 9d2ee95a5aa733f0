/* Handing over to the Python client, which starts without site packages (-I -S).
 *
 *   bin/gatesh          this program
 *   bin/gatesh-python   written by the installer; its first line names the interpreter
 *   lib/python3…/site-packages/gatesh/client/front.py
 *
 * A "#!" script cannot be a faithful shell: the kernel drops argv[0] (and with it the dash of
 * a login shell), and Python forgets which signals were ignored before it started.  Both go
 * along.  Every descriptor opened here or before is close-on-exec: nothing of us stays.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

static _Noreturn void fail(const char *what, const char *path)
{
    dprintf(2, "gatesh: error: %s %s\n"
               "gatesh: hint: install gatesh again; the command was not run\n", what, path);
    _exit(TROUBLE);
}

/* The interpreter that the installer wrote into the first line of *script*. */
static char *interpreter(const char *script)
{
    static char line[PATH_MAX];
    FILE *file = fopen(script, "re");

    if (!file || !fgets(line, sizeof line, file))
        return NULL;
    fclose(file);
    if (strncmp(line, "#!/", 3) != 0)
        return NULL;
    line[strcspn(line, " \t\r\n")] = '\0';
    return access(line + 2, X_OK) == 0 ? line + 2 : NULL;
}

/* Find front.py below *prefix*.  With two Pythons there only Python knows which is its own. */
static int find_front(const char *prefix, char *front, size_t size)
{
    static const char *const kinds[] = {"site", "dist"};
    char path[PATH_MAX + NAME_MAX + 64];
    struct dirent *entry;
    int count = 0;
    DIR *lib;

    snprintf(path, sizeof path, "%s/lib", prefix);
    if ((lib = opendir(path)) == NULL)
        return 0;
    while ((entry = readdir(lib)) != NULL)
        for (int n = 0; n < 2 && strncmp(entry->d_name, "python3", 7) == 0; n++) {
            snprintf(path, sizeof path, "%s/lib/%s/%s-packages/gatesh/client/front.py",
                     prefix, entry->d_name, kinds[n]);
            if (strlen(path) < size && access(path, R_OK) == 0 && count++ == 0)
                strcpy(front, path);
        }
    closedir(lib);
    return count == 1;
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

void hand_over(int argc, char **argv)
{
    static char prefix[PATH_MAX], path[PATH_MAX + 64], front[2 * PATH_MAX], state[40];
    ssize_t length = readlink("/proc/self/exe", prefix, sizeof prefix - 1);
    char *python, *slash, **call = calloc((size_t)argc + 9, sizeof *call);
    int at = 0;

    if (length < 0)
        fail("cannot find itself: is", "/proc mounted?");
    prefix[length] = '\0';
    for (int up = 0; up < 2; up++)  /* bin/gatesh → bin → the prefix */
        if ((slash = strrchr(prefix, '/')) != NULL)
            *slash = '\0';
    snprintf(path, sizeof path, "%s/bin/gatesh-python", prefix);
    if ((python = interpreter(path)) == NULL)
        fail("no interpreter in the first line of", path);
    if (call == NULL)
        fail("no memory to start", python);
    snprintf(state, sizeof state, "%llx", ignored());

    call[at++] = python;
    call[at++] = "-I";
    if (find_front(prefix, front, sizeof front)) {
        call[at++] = "-S";
        call[at++] = front;
    } else {  /* an editable install, or two of them: let site find the package */
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
