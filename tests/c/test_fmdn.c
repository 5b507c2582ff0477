/* The C face, misused and used; threads share what it loaded. Compiled as C and as C++, and run
   under AddressSanitizer and valgrind as well. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static struct committee network;

/* What one thread gets: the mixtures of all rows, and its median of the first target. */
enum { n_rows = 300 };
struct answer {
    double *weights, *means, *factors, median[n_rows];
    int n_threads, wrong;
};
static double observed[n_rows * n_inputs], truth[n_rows * n_targets];

static void train(const char *path)
{
    const int64_t n = 600 * (int64_t)scale();
    double *inputs = (double *)malloc((size_t)n * n_inputs * sizeof *inputs);
    double *targets = (double *)malloc((size_t)n * n_targets * sizeof *targets);
    int64_t sizes[2], member_sizes[3][7], size[5], interrupt = 0;
    double weights[3], again[most];
    char detail[200];
    int k;

    draw_rows(n, inputs, targets);
    plan(&network);
    for (k = 1; k <= 2; ++k) { /* on one thread and on two: the same bits */
        plan(&network);
        DONE(fmdn_fit_committee(network.n_layout, network.layout, network.n_parameters, network.parameters,
                      n_inputs, n_targets, n, inputs, targets, 1, 40, 0, k, &interrupt, sizes,
                      &status));
        CHECK(sizes[0] == network.n_layout && sizes[1] == network.n_parameters);
        if (k == 1)
            memcpy(again, network.parameters, sizeof again);
    }
    CHECK(memcmp(again, network.parameters, sizeof again) == 0);

    DONE(fmdn_describe(network.n_layout, network.layout, network.n_parameters, network.parameters,
                       3, size, member_sizes[0], weights, &status));
    CHECK(size[0] == n_inputs && size[1] == n_targets && size[2] == 3);
    CHECK(fabs(weights[0] + weights[1] + weights[2] - 1) < 1e-15);
    CHECK(member_sizes[2][1] + member_sizes[1][1] + member_sizes[0][1] == size[3]);
    network.n_kernels = size[3];
    DONE(fmdn_save((int64_t)strlen(path), path, network.n_layout, network.layout,
                   network.n_parameters, network.parameters, 9, "{\"a\": 12}", sizeof detail, detail,
                   &status));
    free(inputs);
    free(targets);
}

static void test_loaded(const char *path)
{
    struct committee loaded;
    load(&loaded, path);
    CHECK(loaded.n_kernels == network.n_kernels);
    CHECK(memcmp(loaded.layout, network.layout, sizeof loaded.layout) == 0);
    CHECK(memcmp(loaded.parameters, network.parameters, sizeof loaded.parameters) == 0);
    CHECK(loaded.n_text == 9 && memcmp(loaded.text, "{\"a\": 12}", 9) == 0);
    network = loaded;
}

static void make_room(struct answer *of)
{
    const size_t k = (size_t)network.n_kernels * n_rows;
    of->weights = (double *)calloc(k * 7, sizeof(double));
    of->means = of->weights + k;
    of->factors = of->means + 2 * k;
}

static int ask(struct answer *of)
{
    const int64_t k = network.n_kernels;
    const double half = 0.5;
    int status = -1, worst;
    double *means = (double *)malloc((size_t)k * sizeof *means);
    double *precisions = (double *)malloc((size_t)k * sizeof *precisions);
    int64_t i;

    fmdn_posterior(network.n_layout, network.layout, network.n_parameters, network.parameters,
                   n_inputs, n_rows, observed, of->n_threads, n_targets, k, of->weights, of->means,
                   of->factors, &status);
    worst = status;
    for (i = 0; i < n_rows && worst == fmdn_ok; ++i) {
        fmdn_mixture_marginal(n_targets, k, 1, of->means + 2 * k * i, of->factors + 4 * k * i, 1,
                              means, precisions, &status);
        worst = status;
        fmdn_mixture_quantile(k, 1, NO_RANGES, of->weights + k * i, means, precisions, 1, &half,
                              of->n_threads, of->median + i, &status);
        if (status)
            worst = status;
    }
    free(means);
    free(precisions);
    return worst;
}

/* t ~ N(0, 1); d(1) and d(3) are t(1) + N(0, 1/4), d(2) is t(2) + N(0, 1/4). */
static void test_answers(const struct answer *of)
{
    const int64_t k = network.n_kernels;
    double mean[n_rows][2], covariance[n_rows][2][2], log_p[n_rows], log_q[n_rows], p[1];
    double *each = (double *)malloc((size_t)k * 4 * sizeof *each);
    double *marginal = (double *)malloc((size_t)k * 2 * sizeof *marginal);
    double away[2] = {0, 0}, gap = 0, sum = 0, product;
    const int64_t n = 4000 * (int64_t)scale();
    double *samples = (double *)malloc((size_t)n * 2 * sizeof *samples);
    int64_t i, j;

    for (j = 0; j < k; ++j)
        sum += of->weights[j];
    CHECK(fabs(sum - 1) < 1e-14);
    DONE(fmdn_mixture_moments(2, k, n_rows, NO_RANGES, of->weights, of->means, of->factors, mean[0],
                              covariance[0][0], &status));
    for (i = 0; i < n_rows; ++i) {
        const double *d = observed + 3 * i;
        away[0] += pow(mean[i][0] - 4 * (d[0] + d[2]) / 9, 2) / n_rows;
        away[1] += pow(mean[i][1] - 4 * d[1] / 5, 2) / n_rows;
    }
    /* 486 rows train a member: about 30 parameters cost sd*sqrt(30/486) of the posterior's sd, 0.33
       and 0.45, in the mean; kernels that bend as much again. */
    CHECK(sqrt(away[0]) < 0.17 && sqrt(away[1]) < 0.23);

    /* The committee's density of a target is that of the mixture it gives. */
    DONE(fmdn_log_density(network.n_layout, network.layout, network.n_parameters,
                          network.parameters, n_inputs, n_targets, n_rows, observed, truth, 2,
                          log_p, &status));
    DONE(fmdn_mixture_log_density(2, k, n_rows, NO_RANGES, of->weights, of->means, of->factors, 1,
                                  n_rows, truth, 2, log_q, &status));
    for (i = 0; i < n_rows; ++i)
        gap = fmax(gap, fabs(log_p[i] - log_q[i]) / fmax(1, fabs(log_p[i])));
    CHECK(gap < 1e-12);

    /* covariance L L' = 1, kernel by kernel. */
    DONE(fmdn_mixture_covariances(2, k, 1, of->factors, each, &status));
    for (j = 0, gap = 0; j < k; ++j) {
        const double *l = of->factors + 4 * j, *c = each + 4 * j;
        product = c[0] * (l[0] * l[0]) + c[1] * (l[2] * l[0]);
        gap = fmax(gap, fabs(product - 1));
        product = c[2] * (l[0] * l[2]) + c[3] * (l[2] * l[2] + l[3] * l[3]);
        gap = fmax(gap, fabs(product - 1));
        CHECK(l[1] == 0 && c[1] == c[2]);
    }
    CHECK(gap < 1e-10);

    DONE(fmdn_mixture_marginal(2, k, 1, of->means, of->factors, 1, marginal, marginal + k,
                               &status));
    DONE(fmdn_mixture_cdf(k, 1, NO_RANGES, of->weights, marginal, marginal + k, 1, 1, of->median, 0,
                          1, p, &status));
    CHECK(fabs(p[0] - 0.5) < 1e-12);

    /* Means of samples, within five standard errors. */
    DONE(fmdn_mixture_sample(2, k, 1, NO_RANGES, of->weights, of->means, of->factors, 3, n, samples,
                             &status));
    for (j = 0; j < 2; ++j) {
        for (i = 0, sum = 0; i < n; ++i)
            sum += samples[2 * i + j] / (double)n;
        CHECK(fabs(sum - mean[0][j]) < 5 * sqrt(covariance[0][j][j] / (double)n));
    }
    free(samples);
    free(marginal);
    free(each);
}

/* Derivatives with respect to the inputs, and differences of the posterior itself. */
static void test_sensitivity(void)
{
    const double h = 1e-4;
    const int64_t k = network.n_kernels;
    double d_mean[2][3], d_sd[2][3], moved[3], mean[2][2], covariance[2][2][2], weights[2][64];
    double *kernels = (double *)malloc((size_t)k * 3 * 7 * sizeof *kernels);
    double *mixture = (double *)malloc((size_t)k * 6 * sizeof *mixture), slope, gap = 0;
    int i, j, side;

    CHECK(k <= 64);
    DONE(fmdn_moment_sensitivity(network.n_layout, network.layout, network.n_parameters,
                          network.parameters, 3, 1, observed, 1, 2, d_mean[0], d_sd[0], &status));
    DONE(fmdn_kernel_sensitivity(network.n_layout, network.layout, network.n_parameters,
                                 network.parameters, 3, 1, observed, 1, 2, k, kernels,
                                 kernels + 3 * k, kernels + 9 * k, &status));
    for (j = 0; j < 3; ++j) {
        for (side = 0; side < 2; ++side) {
            memcpy(moved, observed, sizeof moved);
            moved[j] += side ? h : -h;
            DONE(fmdn_posterior(network.n_layout, network.layout, network.n_parameters,
                                network.parameters, 3, 1, moved, 1, 2, k, weights[side], mixture,
                                mixture + 2 * k, &status));
            DONE(fmdn_mixture_moments(2, k, 1, NO_RANGES, weights[side], mixture, mixture + 2 * k,
                                      mean[side], covariance[side][0], &status));
        }
        for (i = 0; i < 2; ++i) {
            slope = (mean[1][i] - mean[0][i]) / (2 * h);
            gap = fmax(gap, fabs(d_mean[i][j] - slope));
            slope = (sqrt(covariance[1][i][i]) - sqrt(covariance[0][i][i])) / (2 * h);
            gap = fmax(gap, fabs(d_sd[i][j] - slope));
        }
        for (i = 0; i < k; ++i)
            gap = fmax(gap, fabs(kernels[3 * i + j] - (weights[1][i] - weights[0][i]) / (2 * h)));
    }
    CHECK(gap < 1e-6);
    REFUSED(fmdn_invalid_argument,
            fmdn_moment_sensitivity(network.n_layout, network.layout, network.n_parameters,
                             network.parameters, 4, 1, observed, 1, 2, d_mean[0], d_sd[0],
                             &status));
    REFUSED(fmdn_invalid_argument,
            fmdn_kernel_sensitivity(network.n_layout, network.layout, network.n_parameters,
                                    network.parameters, 3, 1, observed, 1, 2, k + 1, kernels,
                                    kernels + 3 * k, kernels + 9 * k, &status));
    free(mixture);
    free(kernels);
}

/* One target, recalibrated by a shift of half a standard score. */
static void test_recalibration(const struct answer *of)
{
    const int64_t k = network.n_kernels;
    const double score = 0.5, none = 0, q[3] = {0.1, 0.5, 0.99};
    double x[3], p[3], log_p[3], mean, variance, samples[50], sum = 0, z = 1, g, slope;
    double *marginal = (double *)malloc((size_t)k * 2 * sizeof *marginal), *more;
    int64_t sizes[2], longer[most];
    int i;

    DONE(fmdn_mixture_marginal(2, k, 1, of->means, of->factors, 2, marginal, marginal + k,
                               &status));
    DONE(fmdn_recalibrated_quantile(1, &score, &none, k, 1, NO_RANGES, of->weights, marginal,
                                    marginal + k, 3, 1, q, 1, x, &status));
    DONE(fmdn_recalibrated_cdf(1, &score, &none, k, 1, NO_RANGES, of->weights, marginal,
                               marginal + k, 3, 1, x, 0, 1, p, &status));
    for (i = 0; i < 3; ++i)
        CHECK(fabs(p[i] - q[i]) < 1e-12);
    DONE(fmdn_mixture_cdf(k, 1, NO_RANGES, of->weights, marginal, marginal + k, 3, 1, x, 0, 1, p,
                          &status));
    CHECK(fabs(p[1] - 0.5 * erfc(-sqrt(0.125))) < 1e-12); /* Phi(1/2) */
    DONE(fmdn_recalibrated_log_density(1, &score, &none, k, 1, NO_RANGES, of->weights, marginal,
                                       marginal + k, 3, 1, x, 1, log_p, &status));
    DONE(fmdn_mixture_log_density(1, k, 1, NO_RANGES, of->weights, marginal, marginal + k, 3, 1, x,
                                  1, p, &status));
    CHECK(fabs(log_p[1] - p[1] - 0.125) < 1e-12);
    DONE(fmdn_recalibrated_moments(1, &score, &none, k, 1, NO_RANGES, of->weights, marginal,
                                   marginal + k, 1, &mean, &variance, &status));
    DONE(fmdn_recalibrated_sample(1, &score, &none, k, 1, NO_RANGES, of->weights, marginal,
                                  marginal + k, 7, 50, 1, samples, &status));
    for (i = 0; i < 50; ++i)
        sum += samples[i] / 50;
    CHECK(fabs(sum - mean) < 5 * sqrt(variance / 50));
    DONE(fmdn_map_scores(1, &score, &none, 0, 1, &z, &g, &slope, &status));
    CHECK(g == 0.5 && slope == 1);
    REFUSED(fmdn_invalid_argument,
            fmdn_map_scores(0, &score, &none, 0, 1, &z, &g, &slope, &status));

    more = (double *)malloc(((size_t)network.n_parameters + 2) * sizeof *more);
    REFUSED(fmdn_invalid_argument, /* a committee of two targets */
            fmdn_change_recalibration(network.n_layout, network.layout, network.n_parameters,
                                      network.parameters, 1, &score, &none, network.n_layout + 7,
                                      longer, network.n_parameters + 2, more, sizes, &status));
    free(more);
    free(marginal);
}

static const struct answer *expected;

static void *ask_again(void *argument)
{
    struct answer *mine = (struct answer *)argument;
    int i;
    for (i = 0; i < 5 * scale(); ++i)
        mine->wrong += ask(mine) != fmdn_ok ||
                       memcmp(mine->median, expected->median, sizeof mine->median) != 0 ||
                       memcmp(mine->weights, expected->weights,
                              (size_t)network.n_kernels * 7 * n_rows * sizeof(double)) != 0;
    return NULL;
}

/* Threads with little stack share the committee, one of them with OpenMP threads of its own. */
static void test_threads(void)
{
    pthread_t threads[3];
    struct answer answers[3];
    pthread_attr_t attributes;
    int i;

    CHECK(pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
    for (i = 0; i < 3; ++i) {
        make_room(&answers[i]);
        answers[i].n_threads = 1 + i / 2;
        answers[i].wrong = 0;
        CHECK(pthread_create(&threads[i], &attributes, ask_again, &answers[i]) == 0);
    }
    for (i = 0; i < 3; ++i) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(answers[i].wrong == 0);
        free(answers[i].weights);
    }
    pthread_attr_destroy(&attributes);
}

int main(int n_arguments, char **arguments)
{
    struct answer first;
    char path[300];

    snprintf(path, sizeof path, "%s.mdn", n_arguments > 0 ? arguments[0] : "test");
    train(path);
    test_misuse(&network, path);
    test_ranges();
    test_loaded(path);
    draw_rows(n_rows, observed, truth);
    make_room(&first);
    first.n_threads = 1;
    CHECK(ask(&first) == fmdn_ok);
    test_answers(&first);
    test_sensitivity();
    test_recalibration(&first);
    expected = &first;
    test_threads();
    free(first.weights);
    remove(path);
    return failures();
}
