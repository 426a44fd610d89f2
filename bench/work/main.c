/* SPDX-License-Identifier: Apache-2.0 */
/* work [-r RUNS] [-s PERCENT] [CLASS[/NAME]…]: runs workloads, prints for each run
 * "class/name seconds check", seconds by the monotonic clock. */
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    const struct work *rows;
} classes[] = {
    { "int", work_int }, { "fp", work_fp }, { "vec", work_vec },
    { "mem", work_mem }, { "sys", work_sys }, { "mt", work_mt },
#ifdef WORK_APP
    { "app", work_app },
#endif
};

static double now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static int wanted(const char *class, const char *name, char **argv)
{
    char full[64];

    if (!*argv) {
        return 1;
    }
    snprintf(full, sizeof full, "%s/%s", class, name);
    for (; *argv; argv++) {
        if (!strcmp(*argv, class) || !strcmp(*argv, full)) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    unsigned runs = 1, percent = 100;
    int opt;

    /* fork+exec starts this program again, to do nothing. */
    if (argc == 2 && !strcmp(argv[1], "nothing")) {
        return 7;
    }
    while ((opt = getopt(argc, argv, "r:s:")) != -1) {
        if (opt == 'r') {
            runs = atoi(optarg);
        } else if (opt == 's') {
            percent = atoi(optarg);
        } else {
            fprintf(stderr, "usage: work [-r RUNS] [-s PERCENT] [CLASS[/NAME]...]\n");
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned c = 0; c < sizeof classes / sizeof classes[0]; c++) {
        for (const struct work *w = classes[c].rows; w->name; w++) {
            uint32_t n = (uint64_t)w->n * percent / 100;

            for (unsigned r = 0; r < runs && wanted(classes[c].name, w->name, argv + optind);
                 r++) {
                uint64_t check;
                double t;

                if (w->prepare) {
                    w->prepare();
                }
                t = now_s();
                check = w->run(n ? n : 1);

                printf("%s/%s %.6f %016llx\n", classes[c].name, w->name, now_s() - t,
                       (unsigned long long)check);
            }
        }
    }
    return 0;
}
