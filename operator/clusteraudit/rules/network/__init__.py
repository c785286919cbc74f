"""Rules of the network: policies, Services, DNS."""
