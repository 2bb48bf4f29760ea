/* Writers of a vector as a JSON number array. */
#ifndef BENCH_NUMBER_WRITERS_H
#define BENCH_NUMBER_WRITERS_H

#include <charconv>
#include <cstdio>
#include <string>
#include <vector>

#include <jansson.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

extern "C" {
#include "codec/json_write.h"
#include "codec/number.h"
}

inline size_t write_number(char *out, double value) {
    return number_write_f64(out, value);
}

inline size_t write_number(char *out, float value) {
    return number_write_f32(out, value);
}

/* Room of 32 bytes a number is there; `write` gives the end of what it wrote. */
template <class T, class Write>
void write_each(const std::vector<T> &values, std::string &out, Write write) {
    out.resize(32 * values.size() + 2);
    char *at = out.data();
    for (T value : values) {
        *at = at == out.data() ? '[' : ',';
        at = write(at + 1, value);
    }
    *at++ = ']';
    out.resize(size_t(at - out.data()));
}

template <class T> void write_layerd(const std::vector<T> &values, std::string &out) {
    write_each(values, out, [](char *at, T value) { return at + write_number(at, value); });
}

template <class T> void write_layerd_array(const std::vector<T> &values, std::string &out) {
    size_t shape[] = {values.size()};
    layers_tensor tensor = layers_tensor_wrap(sizeof(T) == 8 ? LAYERS_F64 : LAYERS_F32, shape, 1,
                                              (void *)values.data());
    out.resize(json_tensor_bound(&tensor, false));
    out.resize(size_t(json_write_tensor(out.data(), &tensor, false, nullptr) - out.data()));
}

template <class T> void write_to_chars(const std::vector<T> &values, std::string &out) {
    write_each(values, out,
               [](char *at, T value) { return std::to_chars(at, at + 31, value).ptr; });
}

template <class T> void write_printf(const std::vector<T> &values, std::string &out) {
    write_each(values, out, [](char *at, T value) {
        return at + snprintf(at, 31, sizeof(T) == 8 ? "%.17g" : "%.9g", double(value));
    });
}

/* rapidjson and Jansson know no float32: they write the double that it is. */
template <class T> void write_rapidjson(const std::vector<T> &values, std::string &out) {
    static rapidjson::StringBuffer buffer;
    buffer.Clear();
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    writer.StartArray();
    for (T value : values)
        writer.Double(value);
    writer.EndArray();
    out.assign(buffer.GetString(), buffer.GetSize());
}

template <class T> void write_jansson(const std::vector<T> &values, std::string &out) {
    json_t *root = json_array();
    for (T value : values)
        json_array_append_new(root, json_real(value));
    out.resize(32 * values.size() + 2);
    out.resize(json_dumpb(root, out.data(), out.size(), JSON_COMPACT));
    json_decref(root);
}

#endif
