/* Norms and sums of rows and columns. */
#include "answers/sums.h"

#include "kernel.h"

/* What a square that vanishes may have been the square of. */
#define VANISHING 0x1p-511

KERNEL void each_row(const double *a, size_t rows, size_t columns, double *norm) {
    double least = VANISHING * sqrt((double)columns);
    for (size_t i = 0; i < rows; i++, a += columns) {
        double lane[8] = {0}, sum = 0;
        size_t j = 0;
        for (; j + 8 <= columns; j += 8)
            for (size_t l = 0; l < 8; l++)
                lane[l] += a[j + l] * a[j + l];
        for (; j < columns; j++)
            sum += a[j] * a[j];
        for (size_t l = 0; l < 8; l++)
            sum += lane[l];
        norm[i] = sqrt(sum) + least;
    }
}

KERNEL void each_column(const double *a, size_t rows, size_t columns, double *norm) {
    double least = VANISHING * sqrt((double)rows);
    for (size_t j = 0; j < columns; j++)
        norm[j] = 0;
    for (size_t i = 0; i < rows; i++, a += columns)
        for (size_t j = 0; j < columns; j++)
            norm[j] += a[j] * a[j];
    for (size_t j = 0; j < columns; j++)
        norm[j] = sqrt(norm[j]) + least;
}

KERNEL void each_absolute(const double *a, size_t rows, size_t columns, double *sum) {
    for (size_t j = 0; j < columns; j++)
        sum[j] = 0;
    for (size_t i = 0; i < rows; i++, a += columns)
        for (size_t j = 0; j < columns; j++)
            sum[j] += fabs(a[j]);
}

void row_norms(const double *a, size_t rows, size_t columns, double *norm) {
    each_row(a, rows, columns, norm);
}

void column_norms(const double *a, size_t rows, size_t columns, double *norm) {
    each_column(a, rows, columns, norm);
}

void column_absolute_sums(const double *a, size_t rows, size_t columns, double *sum) {
    each_absolute(a, rows, columns, sum);
}
