/* A committee whose targets have ranges, from the plan to the answers. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fmdn.h"

enum { n = 400, n_samples = 200 };

/* The first target on [-1, 1], kept there by a map; the second on a circle. */
static const int kinds[2] = {fmdn_range_probit, fmdn_range_periodic};
static const double low[2] = {-1, 0}, high[2] = {1, 6};

static void draw_inside(double *inputs, double *targets)
{
    int i;
    draw_rows(n, inputs, targets);
    for (i = 0; i < n; ++i) {
        targets[2 * i] = 2.0 * i / (n - 1) - 1;
        inputs[3 * i] = targets[2 * i] + 0.2 * inputs[3 * i];
    }
}

static void add_ranges(struct committee *planned)
{
    int64_t layout[most];
    double parameters[most], out[2] = {1, -1};

    REFUSED(fmdn_invalid_argument,
            fmdn_add_ranges(planned->n_layout, planned->layout, planned->n_parameters,
                            planned->parameters, 2, kinds, out, high, planned->n_layout + 9, layout,
                            planned->n_parameters + 4, parameters, &status));
    REFUSED(fmdn_invalid_argument,
            fmdn_add_ranges(planned->n_layout, planned->layout, planned->n_parameters,
                            planned->parameters, 2, kinds, low, high, planned->n_layout + 8, layout,
                            planned->n_parameters + 4, parameters, &status));
    DONE(fmdn_add_ranges(planned->n_layout, planned->layout, planned->n_parameters,
                         planned->parameters, 2, kinds, low, high, planned->n_layout + 9, layout,
                         planned->n_parameters + 4, parameters, &status));
    planned->n_layout += 9;
    planned->n_parameters += 4;
    memcpy(planned->layout, layout, (size_t)planned->n_layout * sizeof *layout);
    memcpy(planned->parameters, parameters, (size_t)planned->n_parameters * sizeof *parameters);
}

void test_ranges(void)
{
    double *inputs = (double *)malloc(sizeof(double) * 3 * n);
    double *targets = (double *)malloc(sizeof(double) * 2 * n);
    double observed[3] = {5, 0, 5}, weights[64], means[128], factors[256];
    double its_low[2], its_high[2], samples[2 * n_samples], mean[2], covariance[4], p[2];
    const double points[4] = {1.5, 0, 0.5, 1}, around[4] = {0.5, 1, 0.5, 7};
    struct committee network;
    int64_t sizes[5], used[2], interrupt = 0, i;
    int its_kinds[2];

    plan(&network);
    add_ranges(&network);
    draw_inside(inputs, targets);
    targets[0] = 1.5;
    REFUSED(fmdn_outside_range,
            fmdn_fit_committee(network.n_layout, network.layout, network.n_parameters,
                               network.parameters, 3, 2, n, inputs, targets, 1, 20, 0, 1,
                               &interrupt, used, &status));
    targets[0] = 0.5;
    DONE(fmdn_fit_committee(network.n_layout, network.layout, network.n_parameters,
                            network.parameters, 3, 2, n, inputs, targets, 1, 20, 0, 1, &interrupt,
                            used, &status));
    REFUSED(fmdn_invalid_argument,
            fmdn_get_ranges(used[0], network.layout, used[1], network.parameters, 1, its_kinds,
                            its_low, its_high, &status));
    DONE(fmdn_get_ranges(used[0], network.layout, used[1], network.parameters, 2, its_kinds,
                         its_low, its_high, &status));
    CHECK(memcmp(its_kinds, kinds, sizeof kinds) == 0 && memcmp(its_low, low, sizeof low) == 0 &&
          memcmp(its_high, high, sizeof high) == 0);

    DONE(fmdn_describe(used[0], network.layout, used[1], network.parameters, 0, sizes, NULL, NULL,
                       &status));
    CHECK(sizes[3] <= 64);
    DONE(fmdn_posterior(used[0], network.layout, used[1], network.parameters, 3, 1, observed, 1, 2,
                        sizes[3], weights, means, factors, &status));
    DONE(fmdn_mixture_sample(2, sizes[3], 1, 2, kinds, low, high, weights, means, factors, 1,
                             n_samples, samples, &status));
    for (i = 0; i < n_samples; ++i)
        CHECK(samples[2 * i] >= -1 && samples[2 * i] <= 1 && samples[2 * i + 1] >= 0 &&
              samples[2 * i + 1] < 6);
    DONE(fmdn_mixture_moments(2, sizes[3], 1, 2, kinds, low, high, weights, means, factors, mean,
                              covariance, &status));
    CHECK(mean[0] > 0 && mean[0] < 1 && covariance[0] > 0);
    DONE(fmdn_mixture_log_density(2, sizes[3], 1, 2, kinds, low, high, weights, means, factors, 2,
                                  1, points, 1, p, &status));
    CHECK(p[0] <= -DBL_MAX && p[1] > -1e3);
    DONE(fmdn_mixture_log_density(2, sizes[3], 1, 2, kinds, low, high, weights, means, factors, 2,
                                  1, around, 1, p, &status));
    CHECK(p[0] - p[1] < 1e-9 && p[1] - p[0] < 1e-9);

    draw_inside(inputs, targets);
    DONE(fmdn_map_targets(2, kinds, low, high, 0, n, targets, &status));
    CHECK(targets[0] < -7 && targets[2 * n - 2] > 7);
    DONE(fmdn_map_targets(2, kinds, low, high, 1, n, targets, &status));
    CHECK(targets[0] >= -1 && targets[0] < -1 + 1e-12 && targets[2 * n - 2] <= 1);
    free(inputs);
    free(targets);
}
