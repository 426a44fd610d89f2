/* SPDX-License-Identifier: Apache-2.0 */
/* -smp and -numa as QEMU's manual has them. */
#include "../check.h"
#include "base/base.h"
#include "base/err.h"
#include "base/opts.h"
#include "front/cmdline.h"
#include "front/config.h"

#include <stdlib.h>
#include <string.h>

/* Reads `text`, blanks between the arguments, as -smp and -numa of a machine with 1 GiB. */
static bool read_text(struct config *c, const char *text, unsigned nodes_n, struct err *e)
{
    char *copy = strdup(text), *args[32], *save = NULL;
    struct opts *tree = opts_create();
    unsigned n = 0;
    bool ok;

    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
        args[n++] = w;
    }
    memset(c, 0, sizeof *c);
    c->board.ram_bytes = GiB;
    c->nodes_n = nodes_n;
    ok = cmdline_parse(tree, n, args, e) && config_read_smp(c, tree, e) &&
         config_read_numa(c, tree, e);
    opts_destroy(tree);
    free(copy);
    return ok;
}

static void smp_is(const char *text, unsigned cpus, unsigned sockets, unsigned cores,
                   unsigned threads)
{
    struct config *c = malloc(sizeof *c);
    struct err e = { "" };

    CHECK(read_text(c, text, 1, &e), "%s: %s", text, e.text);
    CHECK(c->board.cpus_n == cpus && c->board.sockets_n == sockets &&
          c->board.cores_n == cores && c->board.threads_n == threads, "%s: %u = %u * %u * %u",
          text, c->board.cpus_n, c->board.sockets_n, c->board.cores_n, c->board.threads_n);
    free(c);
}

static void fails(const char *text, const char *with)
{
    struct config *c = malloc(sizeof *c);
    struct err e = { "" };

    CHECK(!read_text(c, text, 1, &e), "%s", text);
    CHECK(strstr(e.text, with), "%s: %s", text, e.text);
    free(c);
}

static void test_smp(void)
{
    smp_is("", 1, 1, 1, 1);
    smp_is("-smp 4", 4, 1, 4, 1);
    smp_is("-smp 4,sockets=2", 4, 2, 2, 1);
    smp_is("-smp cpus=8,cores=2", 8, 4, 2, 1);
    smp_is("-smp 8,cores=2,threads=2", 8, 2, 2, 2);
    smp_is("-smp sockets=2,cores=3,threads=2", 12, 2, 3, 2);
    smp_is("-smp 8,sockets=2,cores=2", 8, 2, 2, 2);
    fails("-smp 5,sockets=2", "is not the number of CPUs");
    fails("-smp 2,maxcpus=4", "plugged");
    fails("-smp 0", "cpus");
    fails("-smp 4,sokets=2", "did you mean 'sockets'");
    fails("-smp 4096", "cpus");
}

static void test_numa(void)
{
    struct config *c = malloc(sizeof *c);
    struct err e = { "" };

    CHECK(read_text(c, "-smp 4 -numa node,cpus=0-1 -numa node,cpus=2,cpus=3", 1, &e), "%s",
          e.text);
    CHECK(c->board.numa_n == 2 && c->board.numa_ram_bytes[0] == GiB / 2 &&
          c->board.cpu_numa[1] == 0 && c->board.cpu_numa[3] == 1);
    CHECK(read_text(c, "-smp 2 -numa node,mem=256 -numa node,mem=768M,cpus=0-1", 1, &e), "%s",
          e.text);
    CHECK(c->board.numa_ram_bytes[0] == 256 * MiB && c->board.cpu_numa[0] == 1);
    CHECK(read_text(c, "-object memory-backend-ram,id=a,size=512M -object "
                    "memory-backend-memfd,id=b,size=512M -smp 2 -numa node,memdev=a "
                    "-numa node,memdev=b -numa dist,src=0,dst=1,val=30", 1, &e), "%s", e.text);
    CHECK(c->board.distance[1][0] == 30 && c->board.distance[0][0] == 10 &&
          c->board.cpu_numa[1] == 1);
    /* One NUMA node for each host when nothing else is said. */
    CHECK(read_text(c, "-smp 5", 3, &e), "%s", e.text);
    CHECK(c->board.numa_n == 3 && c->board.cpu_numa[0] == 0 && c->board.cpu_numa[4] == 2);
    CHECK(c->board.numa_ram_bytes[0] + c->board.numa_ram_bytes[1] +
          c->board.numa_ram_bytes[2] == GiB);
    free(c);
    fails("-numa node,mem=1G -numa node", "for all nodes or for none");
    fails("-numa node,mem=1G -numa node,mem=1G", "-m says");
    fails("-smp 2 -numa node,cpus=0-2", "there are 2 CPUs");
    fails("-smp 2 -numa node,cpus=0 -numa node,cpus=0", "belongs to node 0 already");
    fails("-smp 2 -numa node,cpus=0 -numa node", "1 of 2 CPUs");
    fails("-numa node,memdev=x", "no -object");
    fails("-numa node,nodeid=1", "no node 0");
    fails("-numa nod", "node and dist");
    fails("-numa node -numa dist,src=0,dst=0,val=20", "distance to itself");
    fails("-smp 2 -numa node,cpus=a", "want N or FIRST-LAST");
}

int main(void)
{
    test_smp();
    test_numa();
    return check_result();
}
