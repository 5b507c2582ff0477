/* What a program may get wrong gets a status, touches no memory but what it was given, and does not
   end the process. (Sizes that are not those of the arrays are beyond what a callee can see.) */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void test_words(void)
{
    char text[200], few[4];
    fmdn_status_text(fmdn_damaged, sizeof text, text);
    CHECK(strncmp(text, "the file is damaged ", 20) == 0 && text[199] == ' ');
    fmdn_status_text(fmdn_damaged, sizeof few, few);
    CHECK(strncmp(few, "the ", 4) == 0);
    fmdn_status_text(-17, sizeof text, text);
    CHECK(strncmp(text, "unknown", 7) == 0);
    fmdn_stop_text(1000, sizeof text, text);
    CHECK(strncmp(text, "unknown", 7) == 0);
    fmdn_status_text(0, 0, NULL);
    fmdn_status_text(0, -5, NULL);
}

static void load_sizes(const char *path, int expected)
{
    int64_t sizes[6] = {-1, -1, -1, -1, -1, -1};
    char detail[200];
    REFUSED(expected, fmdn_load_sizes((int64_t)strlen(path), path, 0, NULL, sizes, sizeof detail,
                                      detail, &status));
    CHECK(sizes[0] == -1);
    CHECK(detail[0] != ' ');
    REFUSED(expected,
            fmdn_load_sizes((int64_t)strlen(path), path, 0, NULL, sizes, 0, NULL, &status));
}

/* The first n_bytes of one file in another. */
static void copy(const char *path, const char *to, size_t n_bytes)
{
    char *bytes = (char *)malloc(n_bytes);
    FILE *from = fopen(path, "rb"), *file = fopen(to, "wb");
    CHECK(bytes && from && file);
    CHECK(fread(bytes, 1, n_bytes, from) == n_bytes);
    CHECK(fwrite(bytes, 1, n_bytes, file) == n_bytes);
    fclose(from);
    fclose(file);
    free(bytes);
}

static void test_files(const struct committee *trained, const char *path)
{
    int64_t size[6] = {0, 0, 0, 0, 0, 0}, n = (int64_t)strlen(path);
    char detail[200], other[300];
    struct committee loaded;
    FILE *file;

    load_sizes("", fmdn_cannot_open);
    load_sizes("not there.mdn", fmdn_cannot_open);
    load_sizes(".", fmdn_cannot_open);
    snprintf(other, sizeof other, "%s.bad", path);
    file = fopen(other, "wb");
    fputs("a song", file);
    fclose(file);
    load_sizes(other, fmdn_not_a_model);
    copy(path, other, 200);
    load_sizes(other, fmdn_truncated);
    remove(other);
    REFUSED(fmdn_cannot_open, fmdn_load_sizes(0, NULL, 0, NULL, size, 0, NULL, &status));
    REFUSED(fmdn_no_such_committee, fmdn_load_sizes(n, path, 5, "depth", size, 0, NULL, &status));

    DONE(fmdn_load_sizes(n, path, 0, NULL, size, 0, NULL, &status));
    REFUSED(fmdn_invalid_argument, fmdn_load(n, path, 0, NULL, size[0] - 1, loaded.layout, size[1],
                                             loaded.parameters, size[2], loaded.text,
                                             sizeof detail, detail, &status));
    REFUSED(fmdn_invalid_argument,
            fmdn_load(n, path, 0, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, &status));
    REFUSED(fmdn_invalid_argument,
            fmdn_load(n, path, 0, NULL, -1, NULL, -1, NULL, -1, NULL, -1, NULL, &status));

    REFUSED(fmdn_cannot_write,
            fmdn_save(19, "no such folder/file", trained->n_layout, trained->layout,
                      trained->n_parameters, trained->parameters, 2, "{}", 0, NULL, &status));
    REFUSED(fmdn_invalid_layout, fmdn_save(n, path, 0, NULL, trained->n_parameters,
                                           trained->parameters, 2, "{}", 0, NULL, &status));
    REFUSED(fmdn_invalid_layout,
            fmdn_save(n, path, trained->n_layout, trained->layout, trained->n_parameters - 1,
                      trained->parameters, 2, "{}", 0, NULL, &status));
    REFUSED(fmdn_invalid_argument,
            fmdn_save(n, path, trained->n_layout, trained->layout, trained->n_parameters,
                      trained->parameters, -2, NULL, 0, NULL, &status));
    load(&loaded, path); /* none of that has touched the file */
    CHECK(memcmp(loaded.parameters, trained->parameters, sizeof loaded.parameters) == 0);

    plan(&loaded);
    snprintf(other, sizeof other, "%s.planned", path);
    DONE(fmdn_save((int64_t)strlen(other), other, loaded.n_layout, loaded.layout,
                   loaded.n_parameters, loaded.parameters, 0, NULL, 0, NULL, &status));
    load_sizes(other, fmdn_unfinished);
    remove(other);
}

static void test_plan(void)
{
    int64_t sizes[2], layout[4];
    int width = 3, zero = 0, huge_width = 2000000000;
#define REFUSED_PLAN(inputs, targets, members, layers, low, high, few, many, covariance)          \
    REFUSED(fmdn_invalid_argument,                                                                 \
            fmdn_plan_committee(0, inputs, targets, members, layers, low, high, few, many,         \
                                covariance, 0, 0, NULL, 0, 0, 0, NULL, sizes, &status))
    REFUSED_PLAN(0, 1, 1, 1, &width, &width, 1, 1, 1);
    REFUSED_PLAN(-1, 1, 1, 1, &width, &width, 1, 1, 1);
    REFUSED_PLAN(2000000000, 1, 1, 1, &width, &width, 1, 1, 1);
    REFUSED_PLAN(1, 2000000000, 1, 1, &width, &width, 1, 1, 1);
    REFUSED_PLAN(1, 1, 2000000000, 1, &width, &width, 1, 1, 1);
    REFUSED_PLAN(1, 1, 1, 0, NULL, NULL, 1, 1, 1);
    REFUSED_PLAN(1, 1, 1, -1, NULL, NULL, 1, 1, 1);
    REFUSED_PLAN(1, 1, 1, 1, &zero, &width, 1, 1, 1);
    REFUSED_PLAN(1, 1, 1, 1, &width, &zero, 1, 1, 1);
    REFUSED_PLAN(1, 1, 1, 1, &width, &huge_width, 1, 1, 1);
    REFUSED_PLAN(1, 1, 1, 1, &width, &width, 2, 1, 1);
    REFUSED_PLAN(1, 1, 1, 1, &width, &width, 1, 2000000000, 1);
    REFUSED_PLAN(1, 1, 1, 1, &width, &width, 1, 1, 0);
    REFUSED_PLAN(1, 1, 1, 1, &width, &width, 1, 1, 4);
    REFUSED(fmdn_invalid_argument, fmdn_plan_committee(0, 1, 1, 1, 1, &width, &width, 1, 1, 1, 0, 0,
                                                       NULL, 0, 0, 4, layout, sizes, &status));
}

/* Layouts that lie, one word at a time. */
static void test_layouts(const struct committee *trained)
{
    static const int64_t lies[] = {0, -1, 1, 2, 7, 1000000, INT32_MAX, INT64_MAX, INT64_MIN};
    const int64_t n_kernels = trained->n_kernels;
    int64_t *layout = (int64_t *)malloc((size_t)trained->n_layout * sizeof *layout);
    double observed[n_inputs] = {0.5, -0.5, 0.5};
    double *weights = (double *)calloc((size_t)n_kernels * 7, sizeof *weights);
    int64_t sizes[5], place[4], i, accepted = 0;
    size_t lie;

    REFUSED(fmdn_invalid_layout, fmdn_describe(0, NULL, 0, NULL, 0, sizes, NULL, NULL, &status));
    REFUSED(fmdn_invalid_layout, fmdn_describe(-3, NULL, -3, NULL, -3, sizes, NULL, NULL, &status));
    for (i = 0; i < trained->n_layout; ++i) {
        for (lie = 0; lie < sizeof lies / sizeof lies[0]; ++lie) {
            int status = -1;
            memcpy(layout, trained->layout, (size_t)trained->n_layout * sizeof *layout);
            if (layout[i] == lies[lie])
                continue;
            layout[i] = lies[lie];
            fmdn_find_block(trained->n_layout, layout, 7, "network", place);
            CHECK(place[0] >= 0 && place[0] + place[1] <= trained->n_layout);
            fmdn_posterior(trained->n_layout, layout, trained->n_parameters, trained->parameters,
                           n_inputs, 1, observed, 1, n_targets, n_kernels, weights,
                           weights + n_kernels, weights + 3 * n_kernels, &status);
            CHECK(status >= 0);
            accepted += status == fmdn_ok;
        }
        REFUSED(fmdn_invalid_layout,
                fmdn_describe(i, trained->layout, trained->n_parameters, trained->parameters, 0,
                              sizes, NULL, NULL, &status));
    }
    /* What is optional may be called so; nothing else that is not so may pass. */
    CHECK(accepted <= 8 * 6);
    free(weights);
    free(layout);
}

static void test_applying(const struct committee *trained)
{
    static const int too_many[] = {0, -1, 1025, 1000000000};
    const int64_t k = trained->n_kernels;
    double *weights = (double *)calloc((size_t)k * 7, sizeof *weights), *means = weights + k,
           *factors = means + 2 * k;
    double observed[n_inputs] = {0.5, -0.5, 0.5}, target[n_targets] = {0, 0}, log_p = 0;
    size_t i;
#define POSTERIOR(inputs, rows, threads, targets, kernels)                                        \
    fmdn_posterior(trained->n_layout, trained->layout, trained->n_parameters,                      \
                   trained->parameters, inputs, rows, observed, threads, targets, kernels,         \
                   weights, means, factors, &status)
    REFUSED(fmdn_invalid_argument, POSTERIOR(2, 1, 1, n_targets, k));
    REFUSED(fmdn_invalid_argument, POSTERIOR(-3, 1, 1, n_targets, k));
    REFUSED(fmdn_invalid_argument, POSTERIOR(n_inputs, 1, 1, 1, k));
    REFUSED(fmdn_invalid_argument, POSTERIOR(n_inputs, 1, 1, n_targets, k + 1));
    REFUSED(fmdn_invalid_argument, POSTERIOR(n_inputs, 1, 1, n_targets, -k));
    for (i = 0; i < sizeof too_many / sizeof too_many[0]; ++i) {
        REFUSED(fmdn_invalid_argument, POSTERIOR(n_inputs, 1, too_many[i], n_targets, k));
        REFUSED(fmdn_invalid_argument,
                fmdn_log_density(trained->n_layout, trained->layout, trained->n_parameters,
                                 trained->parameters, n_inputs, n_targets, 1, observed, target,
                                 too_many[i], &log_p, &status));
    }
    DONE(POSTERIOR(n_inputs, 0, 1, n_targets, k));
    DONE(POSTERIOR(n_inputs, -4, 1, n_targets, k));
    CHECK(weights[0] == 0);
    observed[1] = NAN;
    REFUSED(fmdn_not_finite, POSTERIOR(n_inputs, 1, 1, n_targets, k));
    observed[1] = -INFINITY;
    REFUSED(fmdn_not_finite, POSTERIOR(n_inputs, 1, 1, n_targets, k));
    REFUSED(fmdn_not_finite,
            fmdn_log_density(trained->n_layout, trained->layout, trained->n_parameters,
                             trained->parameters, n_inputs, n_targets, 1, observed, target, 1,
                             &log_p, &status));
    free(weights);
}

static void test_mixtures(void)
{
    const double weights[2] = {0.5, 0.5}, means[2] = {-1, 1}, factors[2] = {1, 2};
    double point = 0.3, out[4] = {0, 0, 0, 0}, more[4];
    const int no_kind = 7, kinds[2] = {fmdn_range_free, fmdn_range_free};
    const double low[2] = {-DBL_MAX, -DBL_MAX}, high[2] = {DBL_MAX, DBL_MAX};
#define BAD(call) REFUSED(fmdn_invalid_argument, call)
    BAD(fmdn_mixture_quantile(0, 1, NO_RANGES, NULL, NULL, NULL, 1, &point, 1, out, &status));
    BAD(fmdn_mixture_quantile(-2, 1, NO_RANGES, NULL, NULL, NULL, 1, &point, 1, out, &status));
    BAD(fmdn_mixture_quantile(2, 1, NO_RANGES, weights, means, factors, 1, &point, 0, out,
                         &status));
    BAD(fmdn_mixture_cdf(0, 1, NO_RANGES, NULL, NULL, NULL, 1, 1, &point, 0, 1, out, &status));
    BAD(fmdn_mixture_cdf(2, 1, NO_RANGES, weights, means, factors, 1, 2, &point, 0, 1, out,
                         &status));
    BAD(fmdn_mixture_cdf(2, 1, NO_RANGES, weights, means, factors, 1, 1, &point, 0, 5000, out,
                         &status));
    BAD(fmdn_mixture_log_density(1, 0, 1, NO_RANGES, NULL, NULL, NULL, 1, 1, &point, 1, out,
                         &status));
    BAD(fmdn_mixture_log_density(0, 2, 1, NO_RANGES, weights, NULL, NULL, 1, 1, NULL, 1, out,
                         &status));
    BAD(fmdn_mixture_log_density(1, 2, 1, NO_RANGES, weights, means, factors, 1, 0, &point, 1, out,
                                 &status));
    BAD(fmdn_mixture_quantile(2, 1, 1, &no_kind, &point, &point, weights, means, factors, 1, &point,
                              1, out, &status));
    BAD(fmdn_mixture_cdf(2, 1, 2, kinds, low, high, weights, means, factors, 1, 1, &point, 0, 1,
                         out, &status));
    BAD(fmdn_mixture_moments(1, 0, 1, NO_RANGES, NULL, NULL, NULL, out, more, &status));
    BAD(fmdn_mixture_moments_about(1, 2, 1, NO_RANGES, weights, means, factors, -1, means, factors,
                                   out, &status));
    BAD(fmdn_mixture_moments_about(1, 2, 1, NO_RANGES, weights, means, factors, 3, means, means,
                                   out, &status));
    BAD(fmdn_mixture_modes(1, 2, 1, NO_RANGES, weights, means, factors, 0, 1, out, more, &status));
    BAD(fmdn_mixture_modes(1, 2, 1, NO_RANGES, weights, means, factors, 1, 0, out, more, &status));
    BAD(fmdn_mixture_sample(1, 0, 1, NO_RANGES, NULL, NULL, NULL, 0, 1, out, &status));
    BAD(fmdn_mixture_marginal(1, 2, 1, means, factors, 0, out, more, &status));
    BAD(fmdn_mixture_marginal(1, 2, 1, means, factors, 2, out, more, &status));
    DONE(fmdn_mixture_quantile(2, 1, NO_RANGES, weights, means, factors, 0, NULL, 1, NULL,
                         &status));
    DONE(fmdn_mixture_quantile(2, -1, NO_RANGES, NULL, NULL, NULL, 1, &point, 1, NULL, &status));
    CHECK(out[0] == 0);
}

static void test_training(void)
{
    enum { n = 60 };
    double inputs[n * n_inputs], targets[n * n_targets];
    int64_t sizes[2], interrupt = 0, groups[4] = {1, 2, 2, 9};
    int roles[4];
    struct committee planned, before;

    draw_rows(n, inputs, targets);
    plan(&planned);
    before = planned;
#define FIT(columns, rows, iterations, threads)                                                    \
    fmdn_fit_committee(planned.n_layout, planned.layout, planned.n_parameters, planned.parameters, columns,  \
             n_targets, rows, inputs, targets, 1, iterations, 0, threads, &interrupt, sizes,       \
             &status)
    REFUSED(fmdn_invalid_argument, FIT(2, n, 5, 1));
    REFUSED(fmdn_invalid_argument, FIT(n_inputs, 0, 5, 1));
    REFUSED(fmdn_invalid_argument, FIT(n_inputs, -3, 5, 1));
    REFUSED(fmdn_too_few_rows, FIT(n_inputs, 2, 5, 1));
    REFUSED(fmdn_invalid_argument, FIT(n_inputs, n, -1, 1));
    REFUSED(fmdn_invalid_argument, FIT(n_inputs, n, 5, 0));
    REFUSED(fmdn_invalid_argument, FIT(n_inputs, n, 5, 100000));
    interrupt = 1;
    REFUSED(fmdn_no_member, FIT(n_inputs, n, 5, 1));
    interrupt = 0;
    inputs[17] = NAN;
    REFUSED(fmdn_not_finite, FIT(n_inputs, n, 5, 1));
    CHECK(sizes[0] == 0 && sizes[1] == 0);
    CHECK(memcmp(&planned, &before, sizeof planned) == 0);
    planned.layout[0] = 99;
    REFUSED(fmdn_newer_file, FIT(n_inputs, n, 5, 1));

    BAD(fmdn_split_rows(4, groups, 4, 0, 1, 1, roles, &status));
    BAD(fmdn_split_rows(0, NULL, 0, 0, 1, 1, NULL, &status));
    BAD(fmdn_split_rows(4, groups, INT64_MAX, 0, 1, 1, roles, &status));
}

void test_misuse(const struct committee *trained, const char *path)
{
    test_words();
    test_files(trained, path);
    test_plan();
    test_layouts(trained);
    test_applying(trained);
    test_mixtures();
    test_training();
}
