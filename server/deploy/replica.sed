# Makes the template unit layerd@.service of layerd.service: a replica for each port that it is started
# for, systemctl enable --now layerd@8081 layerd@8082. What they share goes into /etc/default/layerd-replicas,
# LAYERD_STORE above all.
1,2c\
# Replicas of layerd under systemd: systemctl enable --now layerd@8081 layerd@8082 listen at these ports.\
# What they share goes into /etc/default/layerd-replicas: LAYERD_STORE=redis://10.0.0.1
s/^Description=.*/& at port %i/
s/^After=.*/After=network.target redis-server.service valkey-server.service/
/^EnvironmentFile=/i\
Environment=LAYERD_LISTEN=127.0.0.1:%i LAYERD_DRAIN_TIME=2s LAYERD_ADDRESS_CONNECTIONS=4096
s|^EnvironmentFile=.*|EnvironmentFile=-/etc/default/layerd-replicas|
s/^RuntimeDirectory=layerd/&-%i/
