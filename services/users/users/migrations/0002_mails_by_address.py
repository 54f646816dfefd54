"""Mails are kept by address. Those not sent yet are dropped: their links can be asked for again."""

from django.db import migrations, models

import bandstand.clock


class Migration(migrations.Migration):
    dependencies = [("users", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="session",
            index=models.Index(fields=["expires_at"], name="session_expiry"),
        ),
        migrations.DeleteModel(name="LinkMail"),
        migrations.CreateModel(
            name="LinkMail",
            fields=[
                (
                    "id",
                    models.UUIDField(default=bandstand.clock.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("email", models.CharField(max_length=254)),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("verify", "Verify"),
                            ("reset", "Reset"),
                            ("address_taken", "Address Taken"),
                            ("username_taken", "Username Taken"),
                        ],
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_at", models.DateTimeField(default=bandstand.clock.now)),
            ],
            options={"indexes": [models.Index(fields=["next_at"], name="link_mail_due")]},
        ),
    ]
