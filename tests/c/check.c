#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed = 0, passed = 0;

void check(int holds, const char *what, const char *file, int line)
{
    if (holds) {
        ++passed;
        return;
    }
    ++failed;
    printf("FAILED %s:%d: %s\n", file, line, what);
}

void check_status(int status, int expected, const char *what, const char *file, int line)
{
    check(status == expected, what, file, line);
    if (status != expected)
        printf("       status %d, expected %d\n", status, expected);
}

int failures(void)
{
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}

int scale(void)
{
    const char *setting = getenv("FMDN_TEST_SCALE");
    int n = setting ? atoi(setting) : 1;
    return n < 1 ? 1 : n;
}

/* Twelve uniform numbers: mean 0, variance 1. */
double normal(uint64_t *state)
{
    double sum = -6;
    int i;
    for (i = 0; i < 12; ++i) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(*state >> 11) / 9007199254740992.0;
    }
    return sum;
}

void draw_rows(int64_t n, double *inputs, double *targets)
{
    uint64_t state = 1;
    int64_t i;
    int j;
    for (i = 0; i < n; ++i) {
        for (j = 0; j < n_targets; ++j)
            targets[i * n_targets + j] = normal(&state);
        for (j = 0; j < n_inputs; ++j)
            inputs[i * n_inputs + j] = targets[i * n_targets + j % 2] + 0.5 * normal(&state);
    }
}

void plan(struct committee *planned)
{
    const int low = 3, high = 5;
    int64_t sizes[2] = {0, 0};
    int pass;
    memset(planned, 0, sizeof *planned);
    for (pass = 0; pass < 2; ++pass) {
        DONE(fmdn_plan_committee(7, n_inputs, n_targets, 3, 1, &low, &high, 1, 2, fmdn_full, 1,
                                 0, NULL, 0, 0, planned->n_layout, planned->layout, sizes, &status));
        planned->n_layout = sizes[0];
        planned->n_parameters = sizes[1];
    }
    CHECK(sizes[0] > 0 && sizes[0] <= most && sizes[1] > 0 && sizes[1] <= most);
}

void load(struct committee *loaded, const char *path)
{
    int64_t size[6] = {0, 0, 0, 0, 0, 0}, n = (int64_t)strlen(path);
    char detail[200];
    memset(loaded, 0, sizeof *loaded);
    DONE(fmdn_load_sizes(n, path, 0, NULL, size, sizeof detail, detail, &status));
    CHECK(size[0] <= most && size[1] <= most && size[2] <= most);
    CHECK(size[3] == n_inputs && size[4] == n_targets);
    loaded->n_layout = size[0];
    loaded->n_parameters = size[1];
    loaded->n_text = size[2];
    loaded->n_kernels = size[5];
    DONE(fmdn_load(n, path, 0, NULL, size[0], loaded->layout, size[1], loaded->parameters, size[2],
                   loaded->text, sizeof detail, detail, &status));
    CHECK(detail[0] == ' ');
}
