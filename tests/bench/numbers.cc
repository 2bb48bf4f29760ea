/* Reading and writing of JSON number arrays, ns a number: layerd's codec beside simdjson,
 * rapidjson, Jansson, fast_float and the C and C++ libraries. One line of JSON for each input and
 * dtype.
 *
 *     numbers             inputs of its own: 17 digits, short, integers; float64 and float32
 *     numbers FILE...     each file one flat array, as float64
 *
 * Every reader must give the same numbers and every writer text that reads back to them. */
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include "number_readers.h"
#include "number_writers.h"

namespace {

constexpr int rounds = 7, count = 100000;

/* ---- inputs -------------------------------------------------------------------------------- */

struct input {
    std::string name, text;
};

std::string array_of(const char *kind, bool single) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    std::string text = "[";
    char number[40];
    for (int i = 0; i < count; i++) {
        if (!strcmp(kind, "17 digits"))
            snprintf(number, sizeof number, single ? "%.9g" : "%.17g",
                     single ? double(float(normal(random))) : normal(random));
        else if (!strcmp(kind, "short"))
            snprintf(number, sizeof number, "%g", double(int(random() % 8000) - 4000) / 8 + 0.125);
        else
            snprintf(number, sizeof number, "%d", int(random() % 20000) - 10000);
        text.append(i ? "," : "").append(number);
    }
    return text + "]";
}

input file_of(const char *path) {
    std::ifstream file(path, std::ios::binary);
    return {path, std::string(std::istreambuf_iterator<char>(file), {})};
}

/* ---- measuring ----------------------------------------------------------------------------- */

template <class F> double nanoseconds(F work, size_t numbers) {
    auto start = std::chrono::steady_clock::now();
    work();
    std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    return took.count() / double(numbers);
}

void print_medians(const char *title, const std::vector<const char *> &names,
                   std::vector<std::vector<double>> &times) {
    printf(", \"%s\": {", title);
    for (size_t i = 0; i < names.size(); i++) {
        std::sort(times[i].begin(), times[i].end());
        printf("%s\"%s\": %.2f", i ? ", " : "", names[i], times[i][rounds / 2]);
    }
    printf("}");
}

[[noreturn]] void refuse(const char *who, const char *what) {
    fprintf(stderr, "numbers: %s %s wrongly\n", who, what);
    exit(1);
}

template <class T> void time_readers(const std::string &plain, std::vector<T> &values) {
    using reader = bool (*)(const document_text &, std::vector<T> &);
    const std::vector<const char *> names = {"layerd number", "layerd array", "simdjson on demand",
                                             "fast_float",    "from_chars",   "rapidjson",
                                             "strtod",        "Jansson"};
    const reader readers[] = {read_layerd<T>,     read_layerd_array<T>, read_simdjson<T>,
                              read_fast_float<T>, read_from_chars<T>,   read_rapidjson<T>,
                              read_strtod<T>,     read_jansson<T>};
    document_text text(plain);
    std::vector<T> got(values.size());
    std::vector<std::vector<double>> times(names.size());
    if (!read_strtod(text, values))
        refuse("strtod", "reads");
    for (int round = 0; round <= rounds; round++) /* the first is not counted */
        for (size_t i = 0; i < names.size(); i++) {
            bool good = true;
            double ns = nanoseconds([&] { good = readers[i](text, got); }, values.size());
            if (!good || memcmp(got.data(), values.data(), values.size() * sizeof(T)) != 0)
                refuse(names[i], "reads");
            if (round > 0)
                times[i].push_back(ns);
        }
    print_medians("read", names, times);
}

template <class T> void time_writers(const std::vector<T> &values) {
    using writer = void (*)(const std::vector<T> &, std::string &);
    const std::vector<const char *> names = {"layerd number", "layerd array",
                                             "to_chars",      "rapidjson",
                                             "Jansson",       sizeof(T) == 8 ? "%.17g" : "%.9g"};
    const writer writers[] = {write_layerd<T>,    write_layerd_array<T>, write_to_chars<T>,
                              write_rapidjson<T>, write_jansson<T>,      write_printf<T>};
    std::string out;
    std::vector<T> back(values.size());
    std::vector<std::vector<double>> times(names.size());
    for (int round = 0; round <= rounds; round++)
        for (size_t i = 0; i < names.size(); i++) {
            double ns = nanoseconds([&] { writers[i](values, out); }, values.size());
            if (round > 0)
                times[i].push_back(ns);
            else if (!read_strtod(document_text(out), back) || back != values)
                refuse(names[i], "writes");
        }
    print_medians("write", names, times);
}

template <class T> void measure(const input &in) {
    std::vector<T> values(size_t(1 + std::count(in.text.begin(), in.text.end(), ',')));
    printf("{\"input\": \"%s\", \"dtype\": \"%s\"", in.name.c_str(), layers_dtype_name(dtype<T>()));
    time_readers(in.text, values);
    time_writers(values);
    printf("}\n");
}

} // namespace

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        measure<double>(file_of(argv[i]));
    for (const char *kind : {"17 digits", "short", "integers"}) {
        if (argc > 1)
            break;
        measure<double>({kind, array_of(kind, false)});
        measure<float>({kind, array_of(kind, true)});
    }
}
