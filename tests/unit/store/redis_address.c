/* The text of --store. */
#include "store/redis/address.h"

#include "common/check.h"

TestSuite(redis_address);

static redis_address read_address(const char *text) {
    redis_address address;
    CHECK(redis_address_read(text, &address), "%s", text);
    return address;
}

Test(redis_address, names_hosts_ports_and_a_database) {
    redis_address a = read_address("redis://store");
    CHECK_EQUAL(a.way, REDIS_TCP);
    CHECK_EQUAL(a.hosts, 1);
    CHECK_TEXT(a.host[0].name, "store");
    CHECK_EQUAL(a.host[0].port, 6379);
    CHECK_EQUAL(a.database, 0);
    CHECK_TEXT(a.user, "");
    a = read_address("redis://10.0.0.1:7000,[::1]:7001,c/12");
    CHECK_EQUAL(a.hosts, 3);
    CHECK_TEXT(a.host[0].name, "10.0.0.1");
    CHECK_TEXT(a.host[1].name, "::1");
    CHECK_EQUAL(a.host[1].port, 7001);
    CHECK_EQUAL(a.host[2].port, 6379);
    CHECK_EQUAL(a.database, 12);
}

Test(redis_address, names_a_user_and_a_password) {
    redis_address a = read_address("redis://me:p%40ss%3Aword%2f@h/1");
    CHECK_TEXT(a.user, "me");
    CHECK_TEXT(a.password, "p@ss:word/");
    CHECK_TEXT(a.host[0].name, "h");
    CHECK_EQUAL(a.database, 1);
    a = read_address("redis://:secret@h");
    CHECK_TEXT(a.user, "");
    CHECK_TEXT(a.password, "secret");
}

Test(redis_address, takes_sockets_and_sentinels) {
    redis_address a = read_address("unix:///run/redis.sock?db=3");
    CHECK_EQUAL(a.way, REDIS_UNIX);
    CHECK_TEXT(a.host[0].name, "/run/redis.sock");
    CHECK_EQUAL(a.database, 3);
    a = read_address("sentinel://u@a,b:5/mymaster/2");
    CHECK_EQUAL(a.way, REDIS_SENTINEL);
    CHECK_TEXT(a.user, "u");
    CHECK_EQUAL(a.host[0].port, 26379);
    CHECK_EQUAL(a.host[1].port, 5);
    CHECK_TEXT(a.master, "mymaster");
    CHECK_EQUAL(a.database, 2);
    CHECK_EQUAL(read_address("redis+sentinel://a/m").way, REDIS_SENTINEL);
}

Test(redis_address, tells_what_goes_by_tls) {
    static const char *const with[] = {"rediss://u@a,b:5/1", "rediss+sentinel://a/m"};
    static const char *const without[] = {"redis://a", "sentinel://a/m", "unix:///s"};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        CHECK_TRUE(read_address(with[i]).by_tls);
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        CHECK_TRUE(!read_address(without[i]).by_tls);
    redis_address a = read_address("rediss://h/2?ca=/a%26b&certificate=/c");
    CHECK_TEXT(a.ca, "/a&b");
    CHECK_TEXT(a.certificate, "/c");
    CHECK_EQUAL(a.database, 2);
    CHECK_TEXT(read_address("rediss://h?certificate=/c").certificate, "/c");
    CHECK_TEXT(read_address("rediss+sentinel://h/m?ca=/a").ca, "/a");
    CHECK_EQUAL(read_address(with[0]).way, REDIS_TCP);
    CHECK_EQUAL(read_address(with[0]).host[1].port, 5);
    CHECK_EQUAL(read_address(with[1]).way, REDIS_SENTINEL);
    CHECK_EQUAL(read_address(with[1]).host[0].port, 26379);
}

Test(redis_address, refuses_what_is_none) {
    static const char *const wrong[] = {"redis",
                                        "redis://",
                                        "redis://:6379",
                                        "redis://h:",
                                        "redis://h:65536",
                                        "redis://h:6379x",
                                        "redis://h,",
                                        "redis://[::1",
                                        "redis://h/x",
                                        "redis://h/-1",
                                        "redis://h%00",
                                        "redis://u:%zz@h",
                                        "redis://a,b,c,d,e,f,g,h,i",
                                        "redisss://h",
                                        "redis://h?ca=/a",
                                        "rediss://h?ca=",
                                        "rediss://h?ca=/a&ca=/a",
                                        "rediss://h?key=/a",
                                        "rediss://h?",
                                        "rediss://h/1&ca=/a",
                                        "http://h",
                                        "unix://relative",
                                        "unix:///",
                                        "unix:///s?db=x",
                                        "sentinel://a",
                                        "sentinel://a/",
                                        "sentinel:///m"};
    redis_address address;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(!redis_address_read(wrong[i], &address), "%s", wrong[i]);
    CHECK_TRUE(redis_address_is_right(""));
    CHECK_TRUE(!redis_address_is_right("redis"));
}
